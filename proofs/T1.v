(** Theorem 1: uniform deletion. The rows of the table in [fuzzsmooth.certify.theorems.edit].

    Units are deleted with one rate w. h c s is the probability with which the base classifier answers class c
    when it reads s: any function, deterministic or not. pA bounds the probability of class A from below, pB
    that of every other class from above, both at x, the text where they were measured; M = pA - pB. *)

From Proofs Require Import Deletion LemmaA LemmaB.
Require Import Coq.QArith.QArith Coq.micromega.Lqa Coq.Lists.List.
Import ListNotations.
Open Scope Q_scope.

(** A base classifier: probabilities, of which those of two classes sum to at most 1. *)
Definition base {S C : Type} (h : C -> S -> Q) : Prop :=
  (forall c s, 0 <= h c s) /\ (forall c c' s, c <> c' -> h c s + h c' s <= 1) /\ (forall c s, h c s <= 1).

Section T1.

Variables U C : Type.
Notation text := (list U).

Variable w : Q.
Hypothesis Hw : 0 <= w <= 1.

Definition uniform : U -> Q := fun _ => w.

Lemma uniform_rates : rates uniform.
Proof. intro u; exact Hw. Qed.

(** p_c(x), the probability that the smoothed classifier sees class c. *)
Definition p (h : C -> text -> Q) (c : C) (x : text) : Q := smooth uniform (h c) x.

(** The answer at x is A: its probability is strictly the largest. *)
Definition answers (h : C -> text -> Q) (A : C) (x : text) : Prop := forall B, B <> A -> p h B x < p h A x.

(** What was measured at x. *)
Definition measured (h : C -> text -> Q) (A : C) (x : text) (pA pB : Q) : Prop :=
  pA <= p h A x /\ forall B, B <> A -> p h B x <= pB.

Variable h : C -> text -> Q.
Hypothesis Hh : base h.

Lemma h_bounds c s : 0 <= h c s <= 1.
Proof. destruct Hh as [H0 [_ H1]]; split; [apply H0|apply H1]. Qed.

Lemma p_bounds c x : 0 <= p h c x <= 1.
Proof. apply smooth_bounds; [exact uniform_rates|intro s; apply h_bounds]. Qed.

(** (E3) > 0 for a and b unmatched units, [certified] in the code, is so for fewer as well. *)
Lemma fewer (A B a b deficit : Q) : 0 <= deficit -> 0 < A -> A <= a -> 0 <= B -> B <= b ->
  B * (2 * A - deficit) > A -> b * (2 * a - deficit) > a.
Proof.
  intros HD HA Ha HB Hb H.
  assert (0 < 2 * A - deficit) by nra.
  assert (0 < 2 * B - 1) by nra.
  assert (A * (2 * B - 1) > B * deficit) by lra.
  assert (a * (2 * B - 1) >= A * (2 * B - 1)) by nra.
  assert (b * (2 * a - deficit) >= B * (2 * a - deficit)) by nra.
  lra.
Qed.

Lemma certified_apart a b a' b' x x' A pA pB : measured h A x pA pB -> 0 <= 1 - (pA - pB) ->
  0 < power w a -> power w b * (2 * power w a - (1 - (pA - pB))) > power w a ->
  apart a' b' x x' -> (a' <= a)%nat -> (b' <= b)%nat -> answers h A x'.
Proof.
  intros [HA HB] HM positive sure [z [d [e [P [Q [D E]]]]]] La Lb B different.
  assert (sure' : power w b' * (2 * power w a' - (1 - (pA - pB))) > power w a').
  { apply (fewer (power w a) (power w b)); auto using power_falls.
    apply power_bounds; auto. }
  pose proof (power_falls w a' a Hw La).
  destruct Hh as [H0 [H1 _]].
  pose proof (all_deleted_uniform w d) as Ed; rewrite D in Ed.
  pose proof (all_deleted_uniform w e) as Ee; rewrite E in Ee.
  assert (HS : forall s, h A s + h B s <= 1) by (intro s; apply H1; auto).
  fold uniform in Ed, Ee.
  apply (typed_rates_certified U uniform uniform_rates z x d x' e (h A) (h B) pA pB (H0 A) (H0 B) HS P Q).
  - exact HA.
  - apply HB; exact different.
  - rewrite Ed; lra.
  - rewrite Ed, Ee; exact sure'.
Qed.

(** pA - pB is at most 1 as soon as there is a rival. *)
Lemma margin_at_most_one A B x pA pB : measured h A x pA pB -> B <> A -> 0 <= 1 - (pA - pB).
Proof.
  intros [HA HB] different.
  pose proof (HB B different). pose proof (p_bounds A x). pose proof (p_bounds B x). lra.
Qed.

(** b insertions and a deletions in any order: the frontier. *)
Theorem T1_mixtures a b x x' A pA pB : measured h A x pA pB ->
  0 < power w a -> power w b * (2 * power w a - (1 - (pA - pB))) > power w a ->
  Mixture a b x x' -> answers h A x'.
Proof.
  intros HM positive sure H B different.
  pose proof (margin_at_most_one A B x pA pB HM different).
  destruct (lemma_B_mixtures a b x x' H) as [a' [b' [HA [La Lb]]]].
  eapply certified_apart; eauto.
Qed.

(** r edits: w^r > 1 - M / 2. *)
Theorem T1_edits r x x' A pA pB : measured h A x pA pB ->
  power w r > 1 - (pA - pB) / 2 -> Steps Edit r x x' -> answers h A x'.
Proof.
  intros HM sure H B different.
  pose proof (margin_at_most_one A B x pA pB HM different).
  destruct (lemma_B_edits r x x' H) as [a' [b' [HA [La Lb]]]].
  assert (half : (pA - pB) / 2 == (pA - pB) * (1 # 2)) by field.
  rewrite half in sure.
  apply (certified_apart r r a' b' x x' A pA pB HM); auto; [lra|nra].
Qed.

(** r insertions: w^r > 1 / (1 + M). *)
Theorem T1_insertions r x x' A pA pB : measured h A x pA pB -> 0 < 1 + (pA - pB) ->
  power w r > 1 / (1 + (pA - pB)) -> Steps Insertion r x x' -> answers h A x'.
Proof.
  intros HM positive sure H B different.
  pose proof (margin_at_most_one A B x pA pB HM different).
  destruct (lemma_B_insertions r x x' H) as [b' [HA Lb]].
  assert (sure' : power w r * (1 + (pA - pB)) > 1).
  { apply (Qmult_lt_r _ _ (1 + (pA - pB)) positive) in sure.
    assert (E : 1 / (1 + (pA - pB)) * (1 + (pA - pB)) == 1) by (field; lra).
    rewrite E in sure; exact sure. }
  apply (certified_apart 0 r 0 b' x x' A pA pB HM); auto; simpl; lra.
Qed.

(** r deletions: w^r > 1 - M. *)
Theorem T1_deletions r x x' A pA pB : measured h A x pA pB ->
  power w r > 1 - (pA - pB) -> Steps Removal r x x' -> answers h A x'.
Proof.
  intros HM sure H B different.
  pose proof (margin_at_most_one A B x pA pB HM different).
  destruct (lemma_B_deletions r x x' H) as [a' [HA La]].
  apply (certified_apart r 0 a' 0 x x' A pA pB HM); auto; simpl; lra.
Qed.

(** Backward: the same row, measured at the received text x', is about insertions that have been made. *)
Theorem T1_backward_insertions r x x' A pA pB : measured h A x' pA pB ->
  power w r > 1 - (pA - pB) -> Steps Insertion r x x' -> answers h A x.
Proof.
  intros HM sure H B different.
  pose proof (margin_at_most_one A B x' pA pB HM different).
  destruct (lemma_B_insertions r x x' H) as [a' [HA La]].
  apply (certified_apart r 0 a' 0 x' x A pA pB HM); auto using apart_sym; simpl; lra.
Qed.

(** The same as bounds on one probability. *)
Theorem T1_edits_value r x x' c : Steps Edit r x x' ->
  p h c x - 1 + power w r <= p h c x' <= p h c x + 1 - power w r.
Proof.
  intro H; destruct (lemma_B_edits r x x' H) as [a [b [[z [d [e [P [Q [D E]]]]]] [La Lb]]]].
  pose proof (conditioning uniform uniform_rates z x d P (h c) 0 1 (h_bounds c)) as HX.
  pose proof (conditioning uniform uniform_rates z x' e Q (h c) 0 1 (h_bounds c)) as HX'.
  pose proof (smooth_bounds uniform (h c) 0 1 z uniform_rates (h_bounds c)).
  unfold uniform in HX, HX'; rewrite all_deleted_uniform in HX, HX'; rewrite D in HX; rewrite E in HX'.
  pose proof (power_falls w a r Hw La). pose proof (power_falls w b r Hw Lb).
  pose proof (power_bounds w r Hw). pose proof (power_bounds w a Hw). pose proof (power_bounds w b Hw).
  fold uniform in HX, HX'.
  change (smooth uniform (h c) x) with (p h c x) in *.
  change (smooth uniform (h c) x') with (p h c x') in *.
  set (y := smooth uniform (h c) z) in *.
  split; nra.
Qed.

Theorem T1_insertions_value r x x' c : Steps Insertion r x x' ->
  power w r * p h c x <= p h c x' <= power w r * p h c x + 1 - power w r.
Proof.
  intro H; destruct (lemma_B_insertions r x x' H) as [b [[z [d [e [P [Q [D E]]]]]] Lb]].
  pose proof (conditioning uniform uniform_rates z x d P (h c) 0 1 (h_bounds c)) as HX.
  pose proof (conditioning uniform uniform_rates z x' e Q (h c) 0 1 (h_bounds c)) as HX'.
  pose proof (p_bounds c x).
  unfold uniform in HX, HX'; rewrite all_deleted_uniform in HX, HX'; rewrite D in HX; rewrite E in HX'.
  pose proof (power_falls w b r Hw Lb). pose proof (power_bounds w b Hw).
  fold uniform in HX, HX'.
  change (smooth uniform (h c) x) with (p h c x) in *.
  change (smooth uniform (h c) x') with (p h c x') in *.
  set (y := smooth uniform (h c) z) in *.
  simpl in HX; assert (y == p h c x) by lra.
  split; nra.
Qed.

Theorem T1_deletions_value r x x' c : Steps Removal r x x' ->
  p h c x - 1 + power w r <= power w r * p h c x'.
Proof.
  intro H; destruct (lemma_B_deletions r x x' H) as [a [[z [d [e [P [Q [D E]]]]]] La]].
  pose proof (conditioning uniform uniform_rates z x d P (h c) 0 1 (h_bounds c)) as HX.
  pose proof (conditioning uniform uniform_rates z x' e Q (h c) 0 1 (h_bounds c)) as HX'.
  pose proof (p_bounds c x').
  unfold uniform in HX, HX'; rewrite all_deleted_uniform in HX, HX'; rewrite D in HX; rewrite E in HX'.
  pose proof (power_falls w a r Hw La). pose proof (power_bounds w a Hw).
  fold uniform in HX, HX'.
  change (smooth uniform (h c) x) with (p h c x) in *.
  change (smooth uniform (h c) x') with (p h c x') in *.
  set (y := smooth uniform (h c) z) in *.
  simpl in HX'; assert (y == p h c x') by lra.
  nra.
Qed.

End T1.

Arguments p {U C} w h c x.
Arguments answers {U C} w h A x.
Arguments measured {U C} w h A x pA pB.
Arguments T1_edits {U C} w Hw h.
Arguments T1_insertions {U C} w Hw h.
Arguments T1_deletions {U C} w Hw h.
Arguments T1_mixtures {U C} w Hw h.
