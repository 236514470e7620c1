(** Lemma A: conditioning on "all unmatched units are deleted".

    If z is a subsequence of x and d are the units of x outside it, then
      p_c(x) = a p_c(z) + (1 - a) q,   with a the probability that all of d is deleted and q in [0, 1].
    From it (E1) and (E3), the bounds of [fuzzsmooth.certify.theorems.edit] and, with a rate per type of
    unit, of [typed_rates]: a = w^|d| for uniform rates. *)

From Proofs Require Import Deletion.
Require Import Coq.QArith.QArith Coq.micromega.Lqa Coq.Lists.List.
Import ListNotations.
Open Scope Q_scope.

(** [Part z x d]: z is what is left of x when the units d, at some places, are taken out. *)
Inductive Part {U : Type} : list U -> list U -> list U -> Prop :=
| part_nil : Part [] [] []
| part_match u z x d : Part z x d -> Part (u :: z) (u :: x) d
| part_skip u z x d : Part z x d -> Part z (u :: x) (u :: d).

Lemma part_length {U : Type} (z x d : list U) : Part z x d -> (length x = length z + length d)%nat.
Proof. induction 1; simpl; rewrite ?IHPart; auto using plus_n_Sm. Qed.

Section LemmaA.

Variable U : Type.
Variable w : U -> Q.
Hypothesis Hw : rates w.

(** For any [f] between lo and hi: what is not explained by z lies between (1 - a) lo and (1 - a) hi. *)
Lemma conditioning z x d : Part z x d -> forall f lo hi, (forall s, lo <= f s <= hi) ->
  (1 - all_deleted w d) * lo <= smooth w f x - all_deleted w d * smooth w f z <=
  (1 - all_deleted w d) * hi.
Proof.
  induction 1 as [|u z x d H IH|u z x d H IH]; intros f lo hi Hf; simpl all_deleted.
  - rewrite smooth_nil; lra.
  - (* u is matched: deleted or kept, it is so on both sides *)
    rewrite !smooth_cons.
    pose proof (Hw u).
    pose proof (IH f lo hi Hf).
    pose proof (IH (fun s => f (u :: s)) lo hi (fun s => Hf (u :: s))).
    set (A := all_deleted w d) in *.
    set (p := smooth w f x) in *; set (p' := smooth w f z) in *.
    set (r := smooth w (fun s => f (u :: s)) x) in *; set (r' := smooth w (fun s => f (u :: s)) z) in *.
    assert (E : w u * p + (1 - w u) * r - A * (w u * p' + (1 - w u) * r')
                == w u * (p - A * p') + (1 - w u) * (r - A * r')) by ring.
    rewrite E; nra.
  - (* u is not: kept, anything may happen *)
    rewrite smooth_cons.
    pose proof (Hw u).
    pose proof (IH f lo hi Hf).
    pose proof (smooth_bounds w (fun s => f (u :: s)) lo hi x Hw (fun s => Hf (u :: s))).
    set (A := all_deleted w d) in *.
    set (p := smooth w f x) in *; set (p' := smooth w f z) in *.
    set (r := smooth w (fun s => f (u :: s)) x) in *.
    assert (E : w u * p + (1 - w u) * r - w u * A * p' == w u * (p - A * p') + (1 - w u) * r) by ring.
    rewrite E; nra.
Qed.

(** Lemma A as it is stated. *)
Theorem lemma_A z x d (h : list U -> Q) : (forall s, 0 <= h s <= 1) -> Part z x d ->
  exists q, 0 <= q <= 1 /\
    smooth w h x == all_deleted w d * smooth w h z + (1 - all_deleted w d) * q.
Proof.
  intros Hh H.
  pose proof (conditioning z x d H h 0 1 Hh) as [low high].
  pose proof (all_deleted_bounds w d Hw).
  set (A := all_deleted w d) in *.
  destruct (Qeq_dec (1 - A) 0) as [E|E].
  - exists 0; split; [lra|]. rewrite E in *; lra.
  - exists ((smooth w h x - A * smooth w h z) / (1 - A)).
    assert (0 < 1 - A) by (destruct (Qlt_le_dec 0 (1 - A)); auto; exfalso; apply E; lra).
    split; [split|].
    + apply Qle_shift_div_l; lra.
    + apply Qle_shift_div_r; lra.
    + field; exact E.
Qed.

(** (E1), without division: a p(x') >= b (p(x) - 1 + a), from x by way of z to x'. *)
Theorem E1 z x d x' d' (h : list U -> Q) : (forall s, 0 <= h s <= 1) -> Part z x d -> Part z x' d' ->
  all_deleted w d * smooth w h x' >= all_deleted w d' * (smooth w h x - 1 + all_deleted w d).
Proof.
  intros Hh H H'.
  pose proof (conditioning z x d H h 0 1 Hh) as [_ high].
  pose proof (conditioning z x' d' H' h 0 1 Hh) as [low' _].
  pose proof (all_deleted_bounds w d Hw). pose proof (all_deleted_bounds w d' Hw).
  set (A := all_deleted w d) in *; set (B := all_deleted w d') in *.
  set (p := smooth w h x) in *; set (p' := smooth w h x') in *; set (c := smooth w h z) in *.
  assert (B * (p - 1 + A) <= B * (A * c)) by nra.
  assert (A * (B * c) <= A * p') by nra.
  lra.
Qed.

(** (E1) as it is written, where the rates are above 0. *)
Corollary E1_divided z x d x' d' (h : list U -> Q) : (forall s, 0 <= h s <= 1) ->
  Part z x d -> Part z x' d' -> 0 < all_deleted w d ->
  smooth w h x' >= all_deleted w d' / all_deleted w d * (smooth w h x - 1 + all_deleted w d).
Proof.
  intros Hh H H' positive.
  pose proof (E1 z x d x' d' h Hh H H') as E.
  assert (F : all_deleted w d' / all_deleted w d * (smooth w h x - 1 + all_deleted w d)
              == all_deleted w d' * (smooth w h x - 1 + all_deleted w d) / all_deleted w d)
    by (field; lra).
  rewrite F; apply Qle_shift_div_r; [exact positive|].
  lra.
Qed.

(** (E3), the margin of two classes, likewise:
    a M(x') >= b (2 a - (1 - M(x))) - a,   that is   M(x') >= b (2 - (1 - M) / a) - 1. *)
Theorem E3 z x d x' d' (hA hB : list U -> Q) :
  (forall s, 0 <= hA s) -> (forall s, 0 <= hB s) -> (forall s, hA s + hB s <= 1) ->
  Part z x d -> Part z x' d' ->
  all_deleted w d * (smooth w hA x' - smooth w hB x') >=
  all_deleted w d' * (2 * all_deleted w d - (1 - (smooth w hA x - smooth w hB x))) - all_deleted w d.
Proof.
  intros HA HB HS H H'.
  set (f := fun s => hA s + -(1) * hB s).
  assert (Hf : forall s, -(1) <= f s <= 1)
    by (intro s; unfold f; pose proof (HA s); pose proof (HB s); pose proof (HS s); lra).
  assert (M : forall y, smooth w hA y - smooth w hB y == smooth w f y)
    by (intro y; unfold f; rewrite smooth_plus, smooth_scale; ring).
  rewrite !M.
  pose proof (conditioning z x d H f (-(1)) 1 Hf) as [_ high].
  pose proof (conditioning z x' d' H' f (-(1)) 1 Hf) as [low' _].
  pose proof (all_deleted_bounds w d Hw). pose proof (all_deleted_bounds w d' Hw).
  set (A := all_deleted w d) in *; set (B := all_deleted w d') in *.
  set (p := smooth w f x) in *; set (p' := smooth w f x') in *; set (c := smooth w f z) in *.
  assert (B * (p - 1 + A) <= B * (A * c)) by nra.
  assert (A * (B * c - 1 + B) <= A * p') by nra.
  lra.
Qed.

(** The test of the code, [conditionally_certified]: true, the top class stays. The code holds the
    difference against a rounding margin above 0; p_A is bounded from below, p_B from above. *)
Theorem typed_rates_certified z x d x' d' (hA hB : list U -> Q) (pA pB : Q) :
  (forall s, 0 <= hA s) -> (forall s, 0 <= hB s) -> (forall s, hA s + hB s <= 1) ->
  Part z x d -> Part z x' d' ->
  pA <= smooth w hA x -> smooth w hB x <= pB -> 0 < all_deleted w d ->
  all_deleted w d' * (2 * all_deleted w d - (1 - (pA - pB))) > all_deleted w d ->
  smooth w hB x' < smooth w hA x'.
Proof.
  intros HA HB HS H H' HpA HpB positive sure.
  pose proof (E3 z x d x' d' hA hB HA HB HS H H').
  pose proof (all_deleted_bounds w d' Hw).
  set (A := all_deleted w d) in *; set (B := all_deleted w d') in *.
  assert (B * (2 * A - (1 - (pA - pB))) <= B * (2 * A - (1 - (smooth w hA x - smooth w hB x)))) by nra.
  assert (0 < A * (smooth w hA x' - smooth w hB x')) by lra.
  nra.
Qed.

End LemmaA.

Arguments conditioning {U} w.
Arguments lemma_A {U} w.
Arguments E1 {U} w.
Arguments E3 {U} w.
