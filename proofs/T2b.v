(** Theorem 2b: all masks known; [fuzzsmooth.certify.theorems.exact].

    With the probabilities of every subsequence z of x, M(x') >= w^b (1 + M(z)) - 1 where z is what x and x'
    share: so the top class stays if w^b (1 + M(z)) > 1 for all z that lack at most a units of x. *)

From Proofs Require Import Deletion LemmaA LemmaB T1.
Require Import Coq.QArith.QArith Coq.micromega.Lqa Coq.Lists.List.
Import ListNotations.
Open Scope Q_scope.

Section T2b.

Variables U C : Type.
Notation text := (list U).

Variable w : Q.
Hypothesis Hw : 0 <= w <= 1.

Variable h : C -> text -> Q.
Hypothesis Hh : base h.

(** What [exact_radius] asks of x: of all it is without at most a units, the margin against every rival. *)
Definition all_keep (a b : nat) (A : C) (x : text) : Prop :=
  forall z d, Part z x d -> (length d <= a)%nat ->
  forall B, B <> A -> power w b * (1 + (p w h A z - p w h B z)) > 1.

Lemma T2b_apart a b a' b' x x' A : all_keep a b A x -> apart a' b' x x' ->
  (a' <= a)%nat -> (b' <= b)%nat -> answers w h A x'.
Proof.
  intros sure [z [d [e [P [Q [D E]]]]]] La Lb B different.
  assert (M : power w b * (1 + (p w h A z - p w h B z)) > 1)
    by (apply (sure z d); auto; rewrite D; auto).
  destruct Hh as [H0 [H1 H2]].
  set (f := fun s => h A s + -(1) * h B s).
  assert (Hf : forall s, -(1) <= f s <= 1).
  { intro s; unfold f; pose proof (H0 A s); pose proof (H0 B s); pose proof (H1 B A s different); lra. }
  pose proof (conditioning (uniform U w) (fun _ => Hw) z x' e Q f (-(1)) 1 Hf) as [low _].
  assert (F : forall y, smooth (uniform U w) f y == p w h A y - p w h B y)
    by (intro y; unfold f, p; rewrite smooth_plus, smooth_scale; ring).
  rewrite !F in low.
  assert (G : all_deleted (uniform U w) e == power w b')
    by (rewrite <- E; exact (all_deleted_uniform w e)).
  rewrite G in low.
  pose proof (power_falls w b' b Hw Lb). pose proof (power_bounds w b Hw).
  set (Mz := p w h A z - p w h B z) in *. set (M' := p w h A x' - p w h B x') in *.
  assert (0 < 1 + Mz) by nra.
  assert (power w b' * (1 + Mz) >= power w b * (1 + Mz)) by nra.
  assert (0 < M') by lra.
  unfold M' in *; lra.
Qed.

Theorem T2b_mixtures a b x x' A : all_keep a b A x -> Mixture a b x x' -> answers w h A x'.
Proof.
  intros sure H; destruct (lemma_B_mixtures a b x x' H) as [a' [b' [HA [La Lb]]]].
  eapply T2b_apart; eauto.
Qed.

Theorem T2b_edits r x x' A : all_keep r r A x -> Steps Edit r x x' -> answers w h A x'.
Proof.
  intros sure H; destruct (lemma_B_edits r x x' H) as [a' [b' [HA [La Lb]]]].
  eapply T2b_apart; eauto.
Qed.

Theorem T2b_insertions r x x' A : all_keep 0 r A x -> Steps Insertion r x x' -> answers w h A x'.
Proof.
  intros sure H; destruct (lemma_B_insertions r x x' H) as [b' [HA Lb]].
  eapply T2b_apart; eauto.
Qed.

Theorem T2b_deletions r x x' A : all_keep r 0 A x -> Steps Removal r x x' -> answers w h A x'.
Proof.
  intros sure H; destruct (lemma_B_deletions r x x' H) as [a' [HA La]].
  eapply T2b_apart; eauto.
Qed.

End T2b.
