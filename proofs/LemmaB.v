(** Lemma B: what r edits leave unmatched.

    If x' is reached from x by r insertions, deletions, substitutions and swaps of neighbors, in any order and
    wherever, the two have a common subsequence outside which each has at most r units. Insertions alone leave
    no unit of x unmatched, deletions alone none of x'. *)

From Proofs Require Import Deletion LemmaA.
Require Import Coq.Lists.List Coq.Arith.PeanoNat Coq.micromega.Lia.
Import ListNotations.

Section LemmaB.

Variable U : Type.
Notation text := (list U).

Inductive Insertion : text -> text -> Prop :=
| insertion u l r : Insertion (l ++ r) (l ++ u :: r).

Inductive Removal : text -> text -> Prop :=
| removal u l r : Removal (l ++ u :: r) (l ++ r).

Inductive Edit : text -> text -> Prop :=
| edit_insert x y : Insertion x y -> Edit x y
| edit_delete x y : Removal x y -> Edit x y
| edit_substitute u v l r : Edit (l ++ u :: r) (l ++ v :: r)
| edit_swap u v l r : Edit (l ++ u :: v :: r) (l ++ v :: u :: r).

(** [Steps R n x y]: y is reached from x by at most n steps of R. *)
Inductive Steps (R : text -> text -> Prop) : nat -> text -> text -> Prop :=
| steps_none n x : Steps R n x x
| steps_more n x y z : Steps R n x y -> R y z -> Steps R (S n) x z.

(** The two texts and a common subsequence outside which they have a and b units. *)
Definition apart (a b : nat) (x y : text) : Prop :=
  exists z d e, Part z x d /\ Part z y e /\ length d = a /\ length e = b.

Lemma part_refl (x : text) : Part x x [].
Proof. induction x; constructor; auto. Qed.

Lemma apart_refl (x : text) : apart 0 0 x x.
Proof. exists x, [], []; auto using part_refl. Qed.

Lemma apart_sym a b x y : apart a b x y -> apart b a y x.
Proof. intros [z [d [e [P [Q [D E]]]]]]; exists z, e, d; auto. Qed.

(** One more unit in y is one more unmatched unit. *)
Lemma part_insert u (l r z e : text) : Part z (l ++ r) e ->
  exists e', Part z (l ++ u :: r) e' /\ length e' = S (length e).
Proof.
  revert z e; induction l as [|v l IH]; simpl; intros z e H.
  - exists (u :: e); split; [constructor; auto|reflexivity].
  - inversion H as [|v' z' x' d' H'|v' z' x' d' H']; subst.
    + destruct (IH _ _ H') as [e' [P E]]; exists e'; split; [constructor; auto|auto].
    + destruct (IH _ _ H') as [e' [P E]]; exists (v :: e'); split; [constructor; auto|simpl; auto].
Qed.

(** Without one unit of y: it was unmatched, or z loses it. *)
Lemma part_remove u (l r z e : text) : Part z (l ++ u :: r) e ->
  (exists e', Part z (l ++ r) e' /\ S (length e') = length e) \/
  (exists z1 z2, z = z1 ++ u :: z2 /\ Part (z1 ++ z2) (l ++ r) e).
Proof.
  revert z e; induction l as [|v l IH]; simpl; intros z e H;
    inversion H as [|v' z' x' d' H'|v' z' x' d' H']; subst.
  - right; exists [], z'; split; auto.
  - left; exists d'; split; auto.
  - destruct (IH _ _ H') as [[e' [P E]]|[z1 [z2 [E P]]]].
    + left; exists e'; split; [constructor; auto|auto].
    + right; exists (v :: z1), z2; subst; split; [reflexivity|simpl; constructor; auto].
  - destruct (IH _ _ H') as [[e' [P E]]|[z1 [z2 [E P]]]].
    + left; exists (v :: e'); split; [constructor; auto|simpl; auto].
    + right; exists z1, z2; subst; split; [reflexivity|constructor; auto].
Qed.

(** A unit that z loses is one more unmatched unit of x. *)
Lemma part_lose u (z1 z2 x d : text) : Part (z1 ++ u :: z2) x d ->
  exists d', Part (z1 ++ z2) x d' /\ length d' = S (length d).
Proof.
  remember (z1 ++ u :: z2) as z eqn:Ez; intro H; revert z1 z2 Ez.
  induction H as [|v z x d H IH|v z x d H IH]; intros z1 z2 Ez.
  - destruct z1; discriminate.
  - destruct z1 as [|v' z1]; simpl in Ez; inversion Ez; subst.
    + exists (u :: d); split; [simpl; constructor; auto|reflexivity].
    + destruct (IH z1 z2 eq_refl) as [d' [P E]]; exists d'; split; [simpl; constructor; auto|auto].
  - destruct (IH z1 z2 Ez) as [d' [P E]]; exists (v :: d'); split; [constructor; auto|simpl; auto].
Qed.

Lemma after_insertion a b x y y' : apart a b x y -> Insertion y y' -> apart a (S b) x y'.
Proof.
  intros [z [d [e [P [Q [D E]]]]]] H; destruct H as [u l r].
  destruct (part_insert u l r z e Q) as [e' [Q' E']].
  exists z, d, e'; repeat split; auto; congruence.
Qed.

Lemma after_removal a b x y y' : apart a b x y -> Removal y y' ->
  (exists b', b = S b' /\ apart a b' x y') \/ apart (S a) b x y'.
Proof.
  intros [z [d [e [P [Q [D E]]]]]] H; destruct H as [u l r].
  destruct (part_remove u l r z e Q) as [[e' [Q' E']]|[z1 [z2 [Z Q']]]].
  - left; exists (length e'); split; [congruence|exists z, d, e'; auto].
  - right; subst z. destruct (part_lose u z1 z2 x d P) as [d' [P' D']].
    exists (z1 ++ z2), d', e; repeat split; auto; congruence.
Qed.

(** Taking a unit away and putting one in elsewhere, or another one: one more unmatched on both sides. *)
Lemma after_move a b x y y' y'' : apart a b x y -> Removal y y' -> Insertion y' y'' ->
  exists a' b', apart a' b' x y'' /\ (a' <= S a)%nat /\ (b' <= S b)%nat.
Proof.
  intros H R I.
  destruct (after_removal a b x y y' H R) as [[b' [E H']]|H'].
  - exists a, (S b'); split; [eapply after_insertion; eauto|lia].
  - exists (S a), (S b); split; [eapply after_insertion; eauto|lia].
Qed.

Lemma after_edit a b x y y' : apart a b x y -> Edit y y' ->
  exists a' b', apart a' b' x y' /\ (a' <= S a)%nat /\ (b' <= S b)%nat.
Proof.
  intros H E; destruct E as [y y' I|y y' R|u v l r|u v l r].
  - exists a, (S b); split; [eapply after_insertion; eauto|lia].
  - destruct (after_removal a b x y y' H R) as [[b' [E H']]|H'].
    + exists a, b'; split; [auto|lia].
    + exists (S a), b; split; [auto|lia].
  - eapply after_move; [exact H|exact (removal u l r)|exact (insertion v l r)].
  - eapply after_move; [exact H|exact (removal u l (v :: r))|].
    replace (l ++ v :: u :: r) with ((l ++ [v]) ++ u :: r) by (rewrite <- app_assoc; reflexivity).
    replace (l ++ v :: r) with ((l ++ [v]) ++ r) by (rewrite <- app_assoc; reflexivity).
    constructor.
Qed.

Theorem lemma_B_edits r x x' : Steps Edit r x x' ->
  exists a b, apart a b x x' /\ (a <= r)%nat /\ (b <= r)%nat.
Proof.
  induction 1 as [n x|n x y z H [a [b [A [La Lb]]]] E].
  - exists 0%nat, 0%nat; split; [apply apart_refl|lia].
  - destruct (after_edit a b x y z A E) as [a' [b' [A' [La' Lb']]]].
    exists a', b'; split; [auto|lia].
Qed.

Theorem lemma_B_insertions r x x' : Steps Insertion r x x' ->
  exists b, apart 0 b x x' /\ (b <= r)%nat.
Proof.
  induction 1 as [n x|n x y z H [b [A L]] I].
  - exists 0%nat; split; [apply apart_refl|lia].
  - exists (S b); split; [eapply after_insertion; eauto|lia].
Qed.

(** Deletions are insertions the other way round. *)
Lemma part_keeps_removal a x y y' : apart a 0 x y -> Removal y y' -> apart (S a) 0 x y'.
Proof.
  intros H R; destruct (after_removal a 0 x y y' H R) as [[b' [E _]]|H']; [discriminate|auto].
Qed.

Theorem lemma_B_deletions r x x' : Steps Removal r x x' ->
  exists a, apart a 0 x x' /\ (a <= r)%nat.
Proof.
  induction 1 as [n x|n x y z H [a [A L]] R].
  - exists 0%nat; split; [apply apart_refl|lia].
  - exists (S a); split; [eapply part_keeps_removal; eauto|lia].
Qed.

(** Mixtures: b insertions and a deletions, in any order. *)
Inductive Mixture : nat -> nat -> text -> text -> Prop :=
| mixture_none a b x : Mixture a b x x
| mixture_insert a b x y z : Mixture a b x y -> Insertion y z -> Mixture a (S b) x z
| mixture_delete a b x y z : Mixture a b x y -> Removal y z -> Mixture (S a) b x z.

Theorem lemma_B_mixtures a b x x' : Mixture a b x x' ->
  exists a' b', apart a' b' x x' /\ (a' <= a)%nat /\ (b' <= b)%nat.
Proof.
  induction 1 as [a b x|a b x y z H [a' [b' [A [La Lb]]]] I|a b x y z H [a' [b' [A [La Lb]]]] R].
  - exists 0%nat, 0%nat; split; [apply apart_refl|lia].
  - exists a', (S b'); split; [eapply after_insertion; eauto|lia].
  - destruct (after_removal a' b' x y z A R) as [[b'' [E A']]|A'].
    + exists a', b''; split; [auto|lia].
    + exists (S a'), b'; split; [auto|lia].
Qed.

End LemmaB.

Arguments Insertion {U}.
Arguments Removal {U}.
Arguments Edit {U}.
Arguments Steps {U}.
Arguments Mixture {U}.
Arguments apart {U}.
Arguments apart_sym {U}.
Arguments lemma_B_edits {U}.
Arguments lemma_B_insertions {U}.
Arguments lemma_B_deletions {U}.
Arguments lemma_B_mixtures {U}.
