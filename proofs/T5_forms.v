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

(** * Two windows of a text *)

(** Two pieces of a text, one behind the other, as two windows of the whole text. *)
Lemma two_windows m (p1 q1 p2 q2 p3 : list U) : length q1 <= m -> length q2 <= m ->
  exists e u, In e (contiguous_up_to m (length (p1 ++ q1 ++ p2 ++ q2 ++ p3))) /\
    In u (contiguous_up_to m (length (p1 ++ q1 ++ p2 ++ q2 ++ p3))) /\
    keep (both e u) (p1 ++ q1 ++ p2 ++ q2 ++ p3) = p1 ++ p2 ++ p3.
Proof.
  intros L1 L2.
  set (e := gap (length p1) (length q1) (length (p2 ++ q2 ++ p3))).
  set (u := gap (length p1 + length q1 + length p2) (length q2) (length p3)).
  exists e, u.
  assert (Le : length e = length (p1 ++ q1 ++ p2 ++ q2 ++ p3))
    by (unfold e; rewrite gap_length, !app_length; lia).
  assert (Lu : length u = length (p1 ++ q1 ++ p2 ++ q2 ++ p3))
    by (unfold u; rewrite gap_length, !app_length; lia).
  split; [|split].
  - apply windows_are_all; split; auto. unfold e, is_window; eauto.
  - apply windows_are_all; split; auto. unfold u, is_window; eauto.
  - rewrite keep_both by auto.
    assert (Ke : keep e (p1 ++ q1 ++ p2 ++ q2 ++ p3) = p1 ++ p2 ++ q2 ++ p3)
      by (exact (without_piece U p1 q1 (p2 ++ q2 ++ p3))).
    assert (Ku : keep e u = gap (length (p1 ++ p2)) (length q2) (length p3)).
    { unfold u, gap.
      rewrite !repeat_app, <- !app_assoc.
      replace e with (piece bool (repeat true (length p1)) (repeat true (length q1))
                            (repeat true (length p2) ++ repeat false (length q2) ++ repeat true (length p3)))
        by (unfold e, piece; rewrite !app_length, !repeat_length; auto).
      rewrite (without_piece bool (repeat true (length p1)) (repeat true (length q1))).
      rewrite app_length, repeat_app, <- app_assoc; auto. }
    rewrite Ke, Ku.
    replace (p1 ++ p2 ++ q2 ++ p3) with ((p1 ++ p2) ++ q2 ++ p3) by (rewrite <- app_assoc; auto).
    change (gap (length (p1 ++ p2)) (length q2) (length p3)) with (piece U (p1 ++ p2) q2 p3).
    rewrite without_piece, <- app_assoc; auto.
Qed.

(** A window, and then a window of what is left, are two windows: one that straddles the gap of the first
    makes one block with it, of at most 2 m units, which two windows cover. *)
Lemma window_of_the_rest m (l c r : list U) v : length c <= m ->
  In v (contiguous_up_to m (length (l ++ r))) ->
  exists e u, In e (contiguous_up_to m (length (l ++ c ++ r))) /\
    In u (contiguous_up_to m (length (l ++ c ++ r))) /\
    keep (both e u) (l ++ c ++ r) = keep v (l ++ r).
Proof.
  intros Lc Hv; apply windows_are_all in Hv; destruct Hv as [[i [k [j [K ->]]]] E].
  rewrite gap_length in E.
  assert (parts : exists l' c' r', l ++ r = l' ++ c' ++ r' /\ length l' = i /\ length c' = k /\ length r' = j).
  { exists (firstn i (l ++ r)), (firstn k (skipn i (l ++ r))), (skipn k (skipn i (l ++ r))).
    rewrite !firstn_skipn, !firstn_length, !skipn_length; repeat split; lia. }
  destruct parts as [l' [c' [r' [S [<- [<- <-]]]]]].
  rewrite S.
  change (gap (length l') (length c') (length r')) with (piece U l' c' r').
  rewrite without_piece.
  destruct (app_eq_app _ _ _ _ S) as [d [[El Er]|[El Er]]].
  - destruct (app_eq_app _ _ _ _ Er) as [d2 [[Ec Er']|[Ed Er']]].
    + (* the second window straddles the gap: one block, cut after m units *)
      subst l r c'.
      set (block := d ++ c ++ d2).
      assert (Lb : length (firstn m block) <= m) by (rewrite firstn_length; lia).
      assert (Lb2 : length (skipn m block) <= m)
        by (unfold block; rewrite skipn_length, !app_length; rewrite app_length in K; lia).
      destruct (two_windows m l' (firstn m block) [] (skipn m block) r' Lb Lb2) as [e [u H]].
      exists e, u; simpl in H.
      replace ((l' ++ d) ++ c ++ d2 ++ r') with (l' ++ firstn m block ++ skipn m block ++ r'); [exact H|].
      rewrite (app_assoc (firstn m block)), firstn_skipn; unfold block.
      rewrite <- !app_assoc; auto.
    + (* it lies before the gap *)
      subst l d r'.
      destruct (two_windows m l' c' d2 c r K Lc) as [e [u H]].
      exists e, u. rewrite <- !app_assoc; exact H.
  - (* it lies behind it *)
    subst l' r.
    destruct (two_windows m l c d c' r' Lc K) as [e [u H]].
    exists e, u. rewrite <- !app_assoc; exact H.
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

(** Blocks of at most m units each: all pairs of windows of x. *)
Theorem T5_edited_block m y : length t <= m -> length c <= m ->
  (forall e u, In e (contiguous_up_to m (length x)) -> In u (contiguous_up_to m (length x)) ->
     h (keep (both e u) x) = y) ->
  answer_of (contiguous_up_to m (length s)) s = y.
Proof.
  intros Lt Lc certified.
  apply T5_for_masks with (g := piece U l t r).
  - apply piece_in; auto.
  - intros u Hu.
    destruct (second_window U m l t r Lt u Hu) as [v [Hv ->]].
    destruct (window_of_the_rest m l c r v Lc Hv) as [e [u' [He [Hu' <-]]]]; auto.
Qed.

End Forms.
