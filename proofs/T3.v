(** Theorem 3: fuzzing what deletion left is post-processing.

    F is any randomized procedure, however it searches, that is given what deletion left and randomness of its
    own: xi from a finite space, independent of the mask. Then h(F(z, xi)) is a base classifier like any other,
    and Theorem 1 holds as it is, with the probabilities of the whole. That F is not given the text itself is
    what its type says. *)

From Proofs Require Import Deletion LemmaB T1.
Require Import Coq.QArith.QArith Coq.micromega.Lqa Coq.Lists.List.
Import ListNotations.
Open Scope Q_scope.

Section T3.

(** Units, classes, outcomes of the procedure's randomness, and what the procedure hands to the model. *)
Variables U C Xi V : Type.
Notation text := (list U).

Variable w : Q.
Hypothesis Hw : 0 <= w <= 1.

(** The procedure's randomness: finitely many outcomes with weights that sum to 1. *)
Variable space : list Xi.
Variable chance : Xi -> Q.
Hypothesis chance_positive : forall xi, 0 <= chance xi.
Hypothesis chance_sums : sum chance space == 1.

Variable F : text -> Xi -> V.
Variable h : C -> V -> Q.
Hypothesis Hh : base h.

(** The probability of class c when a mask and the procedure's randomness are drawn, independently. *)
Definition fuzzed (c : C) (x : text) : Q :=
  sum (fun m => sum (fun xi => weight (uniform U w) m x * chance xi * h c (F (keep m x) xi)) space)
      (masks (length x)).

(** The base classifier that F and h are together. *)
Definition together (c : C) (z : text) : Q := sum (fun xi => chance xi * h c (F z xi)) space.

Theorem T3_one_base_classifier c x : fuzzed c x == p w together c x.
Proof.
  unfold fuzzed, p, smooth, together; apply sum_ext; intro m.
  rewrite <- sum_scale; apply sum_ext; intro xi; ring.
Qed.

Lemma average_at_most_one f : (forall xi, f xi <= 1) -> sum (fun xi => chance xi * f xi) space <= 1.
Proof.
  intro Hf; rewrite <- chance_sums; apply sum_le; intros xi _.
  pose proof (chance_positive xi); pose proof (Hf xi); nra.
Qed.

Lemma together_is_base : base together.
Proof.
  destruct Hh as [H0 [H1 H2]]; unfold together; split; [|split].
  - intros c z.
    assert (E : sum (fun _ : Xi => 0) space <= sum (fun xi => chance xi * h c (F z xi)) space).
    { apply sum_le; intros xi _; pose proof (chance_positive xi); pose proof (H0 c (F z xi)); nra. }
    rewrite sum_zero in E; exact E.
  - intros c c' z different.
    rewrite <- sum_plus.
    rewrite (sum_ext _ (fun xi => chance xi * (h c (F z xi) + h c' (F z xi)))) by (intro; ring).
    apply average_at_most_one; intro xi; apply H1; exact different.
  - intros c z; apply average_at_most_one; intro xi; apply H2.
Qed.

(** The answer of the whole. *)
Definition fuzzed_answers (A : C) (x : text) : Prop := forall B, B <> A -> fuzzed B x < fuzzed A x.

Definition fuzzed_measured (A : C) (x : text) (pA pB : Q) : Prop :=
  pA <= fuzzed A x /\ forall B, B <> A -> fuzzed B x <= pB.

Lemma same_answer A x : answers w together A x -> fuzzed_answers A x.
Proof. intros H B different; rewrite !T3_one_base_classifier; auto. Qed.

Lemma same_measured A x pA pB : fuzzed_measured A x pA pB -> measured w together A x pA pB.
Proof.
  intros [HA HB]; split.
  - rewrite <- T3_one_base_classifier; exact HA.
  - intros B different; rewrite <- T3_one_base_classifier; auto.
Qed.

(** So all rows of Theorem 1 hold for it. *)
Theorem T3_edits r x x' A pA pB : fuzzed_measured A x pA pB ->
  power w r > 1 - (pA - pB) / 2 -> Steps Edit r x x' -> fuzzed_answers A x'.
Proof.
  intros; apply same_answer.
  eapply T1_edits; eauto using same_measured, together_is_base.
Qed.

Theorem T3_insertions r x x' A pA pB : fuzzed_measured A x pA pB -> 0 < 1 + (pA - pB) ->
  power w r > 1 / (1 + (pA - pB)) -> Steps Insertion r x x' -> fuzzed_answers A x'.
Proof.
  intros; apply same_answer.
  eapply T1_insertions; eauto using same_measured, together_is_base.
Qed.

Theorem T3_deletions r x x' A pA pB : fuzzed_measured A x pA pB ->
  power w r > 1 - (pA - pB) -> Steps Removal r x x' -> fuzzed_answers A x'.
Proof.
  intros; apply same_answer.
  eapply T1_deletions; eauto using same_measured, together_is_base.
Qed.

Theorem T3_mixtures a b x x' A pA pB : fuzzed_measured A x pA pB ->
  0 < power w a -> power w b * (2 * power w a - (1 - (pA - pB))) > power w a ->
  Mixture a b x x' -> fuzzed_answers A x'.
Proof.
  intros; apply same_answer.
  eapply T1_mixtures; eauto using same_measured, together_is_base.
Qed.

End T3.
