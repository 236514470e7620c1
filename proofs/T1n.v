(** Theorem 1n: a rate that depends on the number of units only; [fuzzsmooth.certify.theorems.length_rates].

    x is deleted with rate w and x' with rate w', whatever these are: w(n) and w(n') in the code. z is a common
    subsequence of m units, a and b units are outside it. For k = 0..m
      P_k = w^a C(m, k) (1 - w)^k w^(m - k),    Q_k = w'^b C(m, k) (1 - w')^k w'^(m - k),
    and for every multiplier v >= 0
      p_c(x') >= v (p_c(x) - 1 + w^a) + sum over k of min(0, Q_k - v P_k). *)

From Proofs Require Import Deletion LemmaA LemmaB T1.
Require Import Coq.QArith.QArith Coq.QArith.Qminmax Coq.micromega.Lqa Coq.Lists.List Coq.micromega.Lia.
Import ListNotations.
Open Scope Q_scope.

(** Pascal's triangle, as rational numbers. *)
Fixpoint choose (n k : nat) : Q :=
  match n, k with
  | _, O => 1
  | O, S _ => 0
  | S n', S k' => choose n' k' + choose n' k
  end.

Lemma choose_above n k : (n < k)%nat -> choose n k == 0.
Proof.
  revert k; induction n; intros k H; destruct k; simpl; try lia; [lra|].
  rewrite !IHn by lia; ring.
Qed.

Lemma choose_positive n k : 0 <= choose n k.
Proof.
  revert k; induction n; intros k; destruct k; simpl; try lra.
  pose proof (IHn k); pose proof (IHn (S k)); lra.
Qed.

(** How many units a mask keeps. *)
Fixpoint kept (m : list bool) : nat :=
  match m with
  | [] => 0
  | true :: m' => S (kept m')
  | false :: m' => kept m'
  end.

Lemma sum_seq_shift (g : nat -> Q) k n : sum g (seq (S k) n) == sum (fun i => g (S i)) (seq k n).
Proof. rewrite <- seq_shift; apply sum_map. Qed.

Lemma sum_seq_last (g : nat -> Q) k n : sum g (seq k (S n)) == sum g (seq k n) + g (k + n)%nat.
Proof. rewrite seq_S, sum_app; simpl; ring. Qed.

(** A sum over masks of what depends on the number kept: C(n, k) masks keep k. *)
Lemma sum_by_kept n (g : nat -> Q) :
  sum (fun m => g (kept m)) (masks n) == sum (fun k => choose n k * g k) (seq 0 (S n)).
Proof.
  revert g; induction n as [|n IH]; intro g.
  - simpl; ring.
  - simpl masks; rewrite sum_app, !sum_map; simpl kept.
    rewrite (IH g), (IH (fun k => g (S k))).
    transitivity (g O + sum (fun k => (choose n k + choose n (S k)) * g (S k)) (seq 0 (S n))).
    + rewrite (sum_ext (fun k => (choose n k + choose n (S k)) * g (S k))
                       (fun k => choose n k * g (S k) + choose n (S k) * g (S k))) by (intro; ring).
      rewrite sum_plus.
      assert (E : sum (fun k => choose n k * g k) (seq 0 (S n))
                  == g O + sum (fun k => choose n (S k) * g (S k)) (seq 0 (S n))).
      { rewrite (sum_seq_last (fun k => choose n (S k) * g (S k))); simpl plus.
        rewrite (choose_above n (S n)) by lia.
        change (seq 0 (S n)) with (0%nat :: seq 1 n); simpl sum.
        rewrite sum_seq_shift.
        destruct n; simpl; ring. }
      rewrite E; ring.
    + assert (E : sum (fun k => choose (S n) k * g k) (seq 0 (S (S n)))
                  == choose (S n) 0 * g O + sum (fun k => choose (S n) k * g k) (seq 1 (S n))) by reflexivity.
      rewrite E, sum_seq_shift; simpl choose; ring.
Qed.

Section T1n.

Variable U : Type.
Notation text := (list U).

(** The rates of the two texts. *)
Variables w w' : Q.
Hypothesis Hw : 0 <= w <= 1.
Hypothesis Hw' : 0 <= w' <= 1.

(** The probability of one mask that keeps k of m units. *)
Definition of_size (r : Q) (m k : nat) : Q := power (1 - r) k * power r (m - k).

Lemma kept_at_most m n : length m = n -> (kept m <= n)%nat.
Proof. revert n; induction m as [|[] m IH]; simpl; intros n H; [lia| |]; specialize (IH _ eq_refl); lia. Qed.

Lemma weight_by_kept r (z : text) m : length m = length z ->
  weight (fun _ => r) m z == of_size r (length z) (kept m).
Proof.
  revert z; induction m as [|b m IH]; intros [|u z] H; try discriminate; simpl in *.
  - unfold of_size; simpl; ring.
  - assert (L : length m = length z) by congruence.
    pose proof (kept_at_most m _ L).
    destruct b; rewrite (IH z L); unfold of_size.
    + simpl; ring.
    + replace (S (length z) - kept m)%nat with (S (length z - kept m)) by lia; simpl; ring.
Qed.

(** P_k and Q_k. *)
Definition atom (r : Q) (a m k : nat) : Q := power r a * choose m k * of_size r m k.

(** The bound, for a multiplier v. *)
Definition bound (v need : Q) (a b m : nat) : Q :=
  v * need + sum (fun k => Qmin 0 (atom w' b m k - v * atom w a m k)) (seq 0 (S m)).

Theorem T1n (h : text -> Q) z x d x' d' (v : Q) : (forall s, 0 <= h s <= 1) ->
  Part z x d -> Part z x' d' -> 0 <= v ->
  bound v (smooth (fun _ => w) h x - 1 + power w (length d)) (length d) (length d') (length z)
  <= smooth (fun _ => w') h x'.
Proof.
  intros Hh H H' Hv; unfold bound.
  pose proof (conditioning (fun _ => w) (fun _ => Hw) z x d H h 0 1 Hh) as [_ high].
  pose proof (conditioning (fun _ => w') (fun _ => Hw') z x' d' H' h 0 1 Hh) as [low _].
  rewrite all_deleted_uniform in high, low.
  set (a := length d) in *; set (b := length d') in *; set (m := length z) in *.
  set (P := power w a) in *; set (Q := power w' b) in *.
  (* what is left is a subset of z, of a probability that depends on its size *)
  assert (each : sum (fun k => Qmin 0 (atom w' b m k - v * atom w a m k)) (seq 0 (S m))
                 <= Q * smooth (fun _ => w') h z - v * (P * smooth (fun _ => w) h z)).
  { apply Qle_trans with (sum (fun s => Qmin 0 (Q * of_size w' m (kept s) - v * (P * of_size w m (kept s)))) (masks m)).
    - rewrite (sum_by_kept m (fun k => Qmin 0 (Q * of_size w' m k - v * (P * of_size w m k)))).
      apply sum_le; intros k _; unfold atom; fold P; fold Q.
      pose proof (choose_positive m k).
      destruct (Q.min_spec 0 (Q * of_size w' m k - v * (P * of_size w m k))) as [[L E]|[L E]]; rewrite E;
        destruct (Q.min_spec 0 (Q * choose m k * of_size w' m k - v * (P * choose m k * of_size w m k)))
          as [[L' E']|[L' E']]; rewrite E'; nra.
    - apply Qle_trans with (sum (fun s => (Q * of_size w' m (kept s) - v * (P * of_size w m (kept s))) * h (keep s z))
                        (masks m)).
      + apply sum_le; intros s _; pose proof (Hh (keep s z)).
        destruct (Q.min_spec 0 (Q * of_size w' m (kept s) - v * (P * of_size w m (kept s))))
          as [[L E]|[L E]]; rewrite E; nra.
      + unfold smooth; fold m; apply Qle_lteq; right.
        rewrite (sum_ext_in _ (fun s => Q * (weight (fun _ => w') s z * h (keep s z))
                                        + -(v * P) * (weight (fun _ => w) s z * h (keep s z)))).
        * rewrite sum_plus, !sum_scale; ring.
        * intros s Hs; apply masks_complete in Hs.
          rewrite !weight_by_kept by exact Hs; fold m; ring. }
  assert (v * (smooth (fun _ => w) h x - 1 + P) <= v * (P * smooth (fun _ => w) h z)) by nra.
  lra.
Qed.

(** Two classes: where the bound at (1 + M) / 2 is above 1/2, the top class stays. *)
Theorem T1n_margin (hA hB : text -> Q) z x d x' d' (v pA pB : Q) :
  (forall s, 0 <= hA s) -> (forall s, 0 <= hB s) -> (forall s, hA s + hB s <= 1) ->
  Part z x d -> Part z x' d' -> 0 <= v ->
  pA <= smooth (fun _ => w) hA x -> smooth (fun _ => w) hB x <= pB ->
  bound v ((1 + (pA - pB)) / 2 - 1 + power w (length d)) (length d) (length d') (length z) > 1 # 2 ->
  smooth (fun _ => w') hB x' < smooth (fun _ => w') hA x'.
Proof.
  intros HA HB HS H H' Hv HpA HpB sure.
  set (f := fun s => (1 # 2) * (hA s + -(1) * hB s) + (1 # 2) * 1).
  assert (Hf : forall s, 0 <= f s <= 1)
    by (intro s; unfold f; pose proof (HA s); pose proof (HB s); pose proof (HS s); lra).
  assert (M : forall r y, smooth (fun _ => r) f y
              == (1 # 2) * (smooth (fun _ => r) hA y - smooth (fun _ => r) hB y) + (1 # 2)).
  { intros r y; unfold f. rewrite smooth_plus, !smooth_scale, smooth_plus, smooth_scale, weights_sum_to_one.
    ring. }
  pose proof (T1n f z x d x' d' v Hf H H' Hv) as B.
  unfold bound in *; rewrite (M w x), (M w' x') in B.
  assert (half : (1 + (pA - pB)) / 2 == (1 # 2) * (1 + (pA - pB))) by field.
  rewrite half in sure.
  assert (v * ((1 # 2) * (1 + (pA - pB)) - 1 + power w (length d)) <=
          v * ((1 # 2) * (smooth (fun _ => w) hA x - smooth (fun _ => w) hB x) + (1 # 2) - 1
               + power w (length d))) by nra.
  lra.
Qed.

End T1n.

(** Radii, as [length_radius] computes them: the rate is a function of the number of units, and the bound is
    above 1/2, for some multiplier, at all numbers of unmatched units that r operations can leave. *)
Section Radii.

Variables U C : Type.
Notation text := (list U).

Variable rate : nat -> Q.
Hypothesis Hrate : forall n, 0 <= rate n <= 1.

Variable h : C -> text -> Q.
Hypothesis Hh : base h.

(** p_c(x), at the rate of its length. *)
Definition pn (c : C) (x : text) : Q := smooth (fun _ => rate (length x)) (h c) x.

Variables (A : C) (x : text) (pA pB : Q).
Hypothesis measured_A : pA <= pn A x.
Hypothesis measured_B : forall B, B <> A -> pn B x <= pB.

(** What the code calls [_keeps]; a units of x go and b units come, so that m = n - a stay. *)
Definition keeps (a b : nat) : Prop :=
  let n := length x in
  exists v, 0 <= v /\
    bound (rate n) (rate (n - a + b)) v ((1 + (pA - pB)) / 2 - 1 + power (rate n) a) a b (n - a) > 1 # 2.

Lemma kept_answer a b x' B : B <> A -> keeps a b -> apart a b x x' -> pn B x' < pn A x'.
Proof.
  intros different [v [Hv sure]] [z [d [e [P [Q [D E]]]]]].
  pose proof (part_length z x d P) as Lx. pose proof (part_length z x' e Q) as Lx'.
  rewrite D in Lx; rewrite E in Lx'.
  assert (Lz : (length x - a)%nat = length z) by lia.
  assert (Ln : (length x - a + b)%nat = length x') by lia.
  rewrite Ln, Lz in sure.
  destruct Hh as [H0 [H1 _]].
  assert (HS : forall s, h A s + h B s <= 1) by (intro s; apply H1; auto).
  unfold pn in *.
  apply (T1n_margin U (rate (length x)) (rate (length x')) (Hrate _) (Hrate _)
           (h A) (h B) z x d x' e v pA pB (H0 A) (H0 B) HS P Q Hv measured_A (measured_B B different)).
  rewrite D, E; exact sure.
Qed.

Theorem T1n_edits r x' : (forall a b, (a <= r)%nat -> (b <= r)%nat -> (a <= length x)%nat -> keeps a b) ->
  Steps Edit r x x' -> forall B, B <> A -> pn B x' < pn A x'.
Proof.
  intros sure H B different.
  destruct (lemma_B_edits r x x' H) as [a [b [HA [La Lb]]]].
  apply (kept_answer a b); auto. apply sure; auto.
  destruct HA as [z [d [e [P [_ [D _]]]]]]; pose proof (part_length z x d P); lia.
Qed.

Theorem T1n_insertions r x' : (forall b, (b <= r)%nat -> keeps 0 b) ->
  Steps Insertion r x x' -> forall B, B <> A -> pn B x' < pn A x'.
Proof.
  intros sure H B different.
  destruct (lemma_B_insertions r x x' H) as [b [HA Lb]].
  apply (kept_answer 0 b); auto.
Qed.

Theorem T1n_deletions r x' : (forall a, (a <= r)%nat -> (a <= length x)%nat -> keeps a 0) ->
  Steps Removal r x x' -> forall B, B <> A -> pn B x' < pn A x'.
Proof.
  intros sure H B different.
  destruct (lemma_B_deletions r x x' H) as [a [HA La]].
  apply (kept_answer a 0); auto. apply sure; auto.
  destruct HA as [z [d [e [P [_ [D _]]]]]]; pose proof (part_length z x d P); lia.
Qed.

End Radii.
