(** Theorem 5 in its other forms: scattered insertions and edits, a block replaced by another;
    [certify_scattered], [certify_contiguous_replacement] and [certify_contiguous_edit]. *)

From Proofs Require Import Deletion LemmaA LemmaB T5.
Require Import Coq.Lists.List Coq.Bool.Bool Coq.Arith.PeanoNat Coq.micromega.Lia.
Import ListNotations.

(** How many units a mask deletes. *)
Fixpoint gone (m : list bool) : nat :=
  match m with
  | [] => 0
  | true :: m' => gone m'
  | false :: m' => S (gone m')
  end.

Section Forms.

Variables U L : Type.
Variable same : forall a b : L, {a = b} + {a <> b}.
Variable h : list U -> L.
Variable majority : list L -> L.

(** The procedure on a received text, for any list of deletions. *)
Definition answer_of (family : list (list bool)) (s : list U) : L :=
  ablation (list bool) L same (fun g => h (keep g s)) (fun g u => h (keep (both g u) s)) family majority.

Lemma T5_for_masks family s g y : In g family ->
  (forall u, In u family -> h (keep (both g u) s) = y) -> answer_of family s = y.
Proof.
  intros g_in right; apply T5 with (g := g); auto.
  - intro e; rewrite both_itself; auto.
  - intros e u; rewrite both_either_way; auto.
Qed.

(** Deleting g and u is deleting g, and then of what is left what u deletes there. *)
Lemma keep_both (g u : list bool) (s : list U) : length g = length s -> length u = length s ->
  keep (both g u) s = keep (keep g u) (keep g s).
Proof.
  revert u s; induction g as [|a g IH]; intros [|b u] [|x s] Eg Eu; simpl in *; try discriminate; auto.
  destruct a, b; simpl; rewrite IH; auto.
Qed.

Lemma keep_length (g u : list bool) (s : list U) : length g = length s -> length u = length s ->
  length (keep g u) = length (keep g s).
Proof.
  revert u s; induction g as [|a g IH]; intros [|b u] [|x s] Eg Eu; simpl in *; try discriminate; auto.
  destruct a; simpl; auto.
Qed.

Lemma gone_keep g u : gone (keep g u) <= gone u.
Proof.
  revert u; induction g as [|[] g IH]; intros [|[] u]; simpl; try lia;
    specialize (IH u); lia.
Qed.

(** Two deletions one after the other are one. *)
Lemma keep_twice (e v : list bool) (x : list U) : length e = length x -> length v = length (keep e x) ->
  exists c, length c = length x /\ gone c = gone e + gone v /\ keep c x = keep v (keep e x).
Proof.
  revert v x; induction e as [|a e IH]; intros v [|u x] Ee Ev; simpl in *; try discriminate.
  - exists []; destruct v; [auto|discriminate].
  - destruct a; simpl in Ev.
    + destruct v as [|b v]; simpl in Ev; [discriminate|].
      destruct (IH v x) as [c [Ec [Gc Kc]]]; auto.
      exists (b :: c); destruct b; simpl; rewrite Kc; repeat split; auto; lia.
    + destruct (IH v x) as [c [Ec [Gc Kc]]]; auto.
      exists (false :: c); simpl; rewrite Kc; repeat split; auto; lia.
Qed.

(** A part of a text is what a mask leaves of it. *)
Lemma part_mask (z x d : list U) : Part z x d ->
  exists e, length e = length x /\ gone e = length d /\ keep e x = z.
Proof.
  induction 1 as [|u z x d H [e [Ee [Ge Ke]]]|u z x d H [e [Ee [Ge Ke]]]].
  - exists []; auto.
  - exists (true :: e); simpl; rewrite Ke; auto.
  - exists (false :: e); simpl; rewrite Ke, Ge; auto.
Qed.

(** * Scattered: all sets of at most r units of the received text are deleted, in any order of the list *)

Definition scattered (r n : nat) (family : list (list bool)) : Prop :=
  forall u, In u family <-> length u = n /\ gone u <= r.

Theorem T5_scattered_edits r x s family y : scattered r (length s) family ->
  (forall c, length c = length x -> gone c <= 2 * r -> h (keep c x) = y) ->
  Steps Edit r x s -> answer_of family s = y.
Proof.
  intros all certified H.
  destruct (lemma_B_edits r x s H) as [a [b [[z [d [e [P [Q [D E]]]]]] [La Lb]]]].
  destruct (part_mask z x d P) as [f [Lf [Gf Kf]]].
  destruct (part_mask z s e Q) as [g [Lg [Gg Kg]]].
  apply T5_for_masks with (g := g).
  - apply all; split; auto; lia.
  - intros u Hu; apply all in Hu; destruct Hu as [Lu Gu].
    rewrite keep_both, Kg by auto; rewrite <- Kf.
    destruct (keep_twice f (keep g u) x) as [c [Lc [Gc Kc]]]; auto.
    { rewrite Kf, <- Kg; apply keep_length; auto. }
    rewrite <- Kc; apply certified; auto.
    pose proof (gone_keep g u); lia.
Qed.

Theorem T5_scattered_insertions r x s family y : scattered r (length s) family ->
  (forall c, length c = length x -> gone c <= r -> h (keep c x) = y) ->
  Steps Insertion r x s -> answer_of family s = y.
Proof.
  intros all certified H.
  destruct (lemma_B_insertions r x s H) as [b [[z [d [e [P [Q [D E]]]]]] Lb]].
  destruct (part_mask z x d P) as [f [Lf [Gf Kf]]].
  destruct (part_mask z s e Q) as [g [Lg [Gg Kg]]].
  apply T5_for_masks with (g := g).
  - apply all; split; auto; lia.
  - intros u Hu; apply all in Hu; destruct Hu as [Lu Gu].
    rewrite keep_both, Kg by auto; rewrite <- Kf.
    destruct (keep_twice f (keep g u) x) as [c [Lc [Gc Kc]]]; auto.
    { rewrite Kf, <- Kg; apply keep_length; auto. }
    rewrite <- Kc; apply certified; auto.
    pose proof (gone_keep g u); lia.
Qed.

(** * One block c of x replaced by t *)

Variables l c t r : list U.
Notation x := (l ++ c ++ r).
Notation s := (l ++ t ++ r).

(** Blocks of one length: the deletions of s are those of x. *)
Lemma same_remainder u : length t = length c -> length u = length s ->
  keep (both (piece U l t r) u) s = keep (both (piece U l t r) u) x.
Proof.
  intros E Eu.
  assert (Ep : length (piece U l t r) = length s)
    by (unfold piece; rewrite gap_length, !app_length; lia).
  assert (Ex : length s = length x) by (rewrite !app_length; lia).
  rewrite !keep_both by congruence.
  rewrite without_piece.
  replace (piece U l t r) with (piece U l c r) by (unfold piece; rewrite E; auto).
  rewrite without_piece; auto.
Qed.

Theorem T5_replaced_block family y : length t = length c -> In (piece U l t r) family ->
  (forall u, In u family -> length u = length s) ->
  (forall e u, In e family -> In u family -> h (keep (both e u) x) = y) -> answer_of family s = y.
Proof.
  intros E g_in lengths certified.
  apply T5_for_masks with (g := piece U l t r); auto.
  intros u Hu; rewrite same_remainder by auto; auto.
Qed.

(** Blocks of at most m units each: a window of x, and then a window of what is left. *)
Theorem T5_edited_block m y : length t <= m -> length c <= m ->
  (forall e v, In e (contiguous_up_to m (length x)) -> In v (contiguous_up_to m (length (keep e x))) ->
     h (keep v (keep e x)) = y) ->
  answer_of (contiguous_up_to m (length s)) s = y.
Proof.
  intros Lt Lc certified.
  apply T5_for_masks with (g := piece U l t r).
  - apply piece_in; auto.
  - intros u Hu.
    destruct (second_window U m l t r Lt u Hu) as [v [Hv ->]].
    rewrite <- (without_piece U l c r).
    apply certified; [apply piece_in; auto|].
    rewrite without_piece; exact Hv.
Qed.

End Forms.
