(** Theorem 5: two-round ablation, and its form against one inserted piece;
    [two_round_ablation] and [certify_contiguous_insertion] of [fuzzsmooth.certify.theorems.windows].

    Nothing is drawn: the base classifier h is any function from texts to labels, the family of deletions
    depends on the length of the received text alone. *)

From Proofs Require Import Deletion.
Require Import Coq.Lists.List Coq.Bool.Bool Coq.Arith.PeanoNat Coq.micromega.Lia.
Import ListNotations.

(** * The procedure, for any family of deletions *)

Section Procedure.

Variables G L : Type.
Variable same : forall a b : L, {a = b} + {a <> b}.

(** Labels when g is deleted, and when g and u are. *)
Variable once : G -> L.
Variable twice : G -> G -> L.
Hypothesis twice_itself : forall g, twice g g = once g.
Hypothesis twice_either_way : forall g u, twice g u = twice u g.

Variable family : list G.

(** The most common label, ties by any rule; the proof does not ask how it is found. *)
Variable majority : list L -> L.

Definition equal (a b : L) : bool := if same a b then true else false.

Lemma equal_true a b : equal a b = true <-> a = b.
Proof. unfold equal; destruct (same a b); split; intro; auto; discriminate. Qed.

(** Round 2: the first minority label that no second deletion changes; else the majority. *)
Fixpoint second (maj : L) (l : list G) : L :=
  match l with
  | [] => maj
  | g :: l' => if negb (equal (once g) maj) && forallb (fun u => equal (twice g u) (once g)) family
               then once g else second maj l'
  end.

Definition ablation : L :=
  let maj := majority (map once family) in
  match family with
  | [] => maj
  | g :: l => if forallb (fun g' => equal (once g') (once g)) l then once g else second maj family
  end.

Variable y : L.
Variable g : G.
Hypothesis g_in : In g family.
Hypothesis g_right : forall u, In u family -> twice g u = y.

Lemma once_right : once g = y.
Proof. rewrite <- twice_itself; auto. Qed.

(** A label that passes the second round is y: g itself asked it. *)
Lemma second_right maj l : incl l family ->
  second maj l = y \/ (second maj l = maj /\ (maj = y \/ ~ In g l)).
Proof.
  induction l as [|g' l IH]; intro sub; simpl; auto.
  destruct (negb (equal (once g') maj) && forallb (fun u => equal (twice g' u) (once g')) family) eqn:E.
  - left. apply andb_prop in E; destruct E as [_ passes].
    rewrite forallb_forall in passes.
    pose proof (passes g g_in) as E; apply equal_true in E.
    rewrite <- E, twice_either_way; apply g_right, sub; simpl; auto.
  - destruct IH as [IH|[IH IH']]; auto.
    { intros u Hu; apply sub; simpl; auto. }
    right; split; auto.
    destruct IH' as [IH'|IH']; auto.
    apply andb_false_iff in E; destruct E as [E|E].
    + apply negb_false_iff, equal_true in E.
      destruct (same maj y) as [Y|N]; auto.
      right; intros [e|H]; auto. apply N; rewrite <- E, e; apply once_right.
    + right; intros [e|H]; auto. rewrite e in E.
      rewrite <- not_true_iff_false, forallb_forall in E; apply E; intros u Hu.
      apply equal_true; rewrite once_right; auto.
Qed.

Theorem T5 : ablation = y.
Proof.
  assert (one_label : forall g0 l, family = g0 :: l ->
            forallb (fun g' => equal (once g') (once g0)) l = true -> once g0 = y).
  { intros g0 l E all; rewrite forallb_forall in all.
    pose proof g_in as H; rewrite E in H; destruct H as [e|H].
    - rewrite e; apply once_right.
    - pose proof (all g H) as S; apply equal_true in S; rewrite <- S; apply once_right. }
  assert (two_rounds : second (majority (map once family)) family = y).
  { destruct (second_right (majority (map once family)) family (incl_refl _)) as [H|[H [H'|H']]]; auto.
    - congruence.
    - contradiction. }
  unfold ablation; destruct family as [|g0 l] eqn:E; [destruct g_in|].
  destruct (forallb (fun g' => equal (once g') (once g0)) l) eqn:all; auto.
  apply (one_label g0 l); auto.
Qed.

End Procedure.

(** * Windows *)

(** Both deletions: kept is what both keep. *)
Fixpoint both (m n : list bool) : list bool :=
  match m, n with
  | a :: m', b :: n' => (a && b) :: both m' n'
  | _, _ => []
  end.

Lemma both_itself m : both m m = m.
Proof. induction m; simpl; [|rewrite IHm, andb_diag]; auto. Qed.

Lemma both_either_way m n : both m n = both n m.
Proof. revert n; induction m; destruct n; simpl; auto. rewrite IHm, andb_comm; auto. Qed.

(** A window of [size] units from [start] on is deleted. *)
Definition gap (i k j : nat) : list bool := repeat true i ++ repeat false k ++ repeat true j.

Definition window (n size start : nat) : list bool := gap start size (n - start - size).

(** [contiguous_up_to]: all windows of at most m units of a text of n, in the order of the code. *)
Definition contiguous_up_to (m n : nat) : list (list bool) :=
  flat_map (fun size => map (window n size) (seq 0 (if size =? 0 then 1 else n - size + 1)))
           (seq 0 (S (Nat.min m n))).

Definition is_window (m : nat) (u : list bool) : Prop := exists i k j, k <= m /\ u = gap i k j.

Lemma gap_length i k j : length (gap i k j) = i + k + j.
Proof. unfold gap; rewrite !app_length, !repeat_length; lia. Qed.

Lemma all_kept n : gap n 0 0 = gap 0 0 n.
Proof. unfold gap; simpl; rewrite app_nil_r; auto. Qed.

Lemma windows_are_all m n u : In u (contiguous_up_to m n) <-> is_window m u /\ length u = n.
Proof.
  unfold contiguous_up_to; rewrite in_flat_map; split.
  - intros [size [Hs Hu]]; rewrite in_seq in Hs; rewrite in_map_iff in Hu.
    destruct Hu as [start [<- Hstart]]; rewrite in_seq in Hstart.
    assert (start + size <= n) by (destruct (Nat.eqb_spec size 0); lia).
    unfold window; split; [|rewrite gap_length; lia].
    exists start, size, (n - start - size); split; [lia|auto].
  - intros [[i [k [j [K ->]]]] E]; rewrite gap_length in E.
    exists k; split; [rewrite in_seq; lia|rewrite in_map_iff].
    destruct (Nat.eqb_spec k 0) as [->|N].
    + exists 0; split; [|rewrite in_seq; lia].
      unfold window. replace (n - 0 - 0) with (i + j) by lia.
      unfold gap; simpl; rewrite repeat_app; auto.
    + exists i; split; [|rewrite in_seq; lia].
      unfold window; f_equal; lia.
Qed.

(** A window from which units are taken out is a window: it closes up, or gets shorter. *)
Lemma kept_shorter b l r j : repeat true j = l ++ b :: r -> exists j', l ++ r = repeat true j'.
Proof.
  revert l; induction j as [|j IH]; intros [|a l] E; simpl in E; try discriminate; inversion E; subst.
  - exists j; auto.
  - destruct (IH l H1) as [j' F]; exists (S j'); simpl; rewrite F; auto.
Qed.

Lemma gone_shorter b l r k j : repeat false k ++ repeat true j = l ++ b :: r ->
  exists k' j', k' <= k /\ l ++ r = repeat false k' ++ repeat true j'.
Proof.
  revert l; induction k as [|k IH]; intros l E.
  - destruct (kept_shorter b l r j E) as [j' F]; exists 0, j'; auto.
  - destruct l as [|a l]; simpl in E; inversion E; subst.
    + exists k, j; split; auto.
    + destruct (IH l H1) as [k' [j' [K F]]]; exists (S k'), j'; split; [lia|simpl; rewrite F; auto].
Qed.

Lemma window_without_one m b l r : is_window m (l ++ b :: r) -> is_window m (l ++ r).
Proof.
  intros [i [k [j [K E]]]]; revert l E; unfold gap; induction i as [|i IH]; intros l E.
  - simpl in E; symmetry in E.
    destruct (gone_shorter b l r k j E) as [k' [j' [K' F]]].
    exists 0, k', j'; split; [lia|exact F].
  - destruct l as [|a l]; simpl in E; inversion E; subst.
    + exists i, k, j; split; auto.
    + destruct (IH l H1) as [i' [k' [j' [K' F]]]].
      exists (S i'), k', j'; split; [auto|unfold gap in *; simpl; rewrite F; auto].
Qed.

Lemma window_without m l c r : is_window m (l ++ c ++ r) -> is_window m (l ++ r).
Proof.
  induction c as [|b c IH]; simpl; auto.
  intro H; apply IH, window_without_one with b; exact H.
Qed.

Section InsertedPiece.

Variables U L : Type.
Variable same : forall a b : L, {a = b} + {a <> b}.
Variable h : list U -> L.
Variable majority : list L -> L.
Variable m : nat.

(** The procedure on a received text s. *)
Definition answer (s : list U) : L :=
  ablation (list bool) L same (fun g => h (keep g s)) (fun g u => h (keep (both g u) s))
           (contiguous_up_to m (length s)) majority.

Lemma keep_app (a b : list bool) (x z : list U) : length a = length x ->
  keep (a ++ b) (x ++ z) = keep a x ++ keep b z.
Proof.
  revert x; induction a as [|[] a IH]; intros [|u x] E; simpl in *; try discriminate; auto.
  - rewrite IH; auto.
Qed.

Lemma keep_none (t : list U) : keep (repeat false (length t)) t = [].
Proof. induction t; simpl; auto. Qed.

Lemma keep_all (t : list U) : keep (repeat true (length t)) t = t.
Proof. induction t; simpl; [|rewrite IHt]; auto. Qed.

Lemma both_app a b c d : length a = length c -> both (a ++ b) (c ++ d) = both a c ++ both b d.
Proof. revert c; induction a; destruct c; simpl; intro E; try discriminate; auto. rewrite IHa; auto. Qed.

Lemma both_all a : both (repeat true (length a)) a = a.
Proof. induction a; simpl; [|rewrite IHa]; auto. Qed.

Lemma both_none a : both (repeat false (length a)) a = repeat false (length a).
Proof. induction a; simpl; [|rewrite IHa]; auto. Qed.

(** The inserted piece, and its deletion. *)
Variables l t r : list U.
Notation x := (l ++ r).
Notation s := (l ++ t ++ r).
Hypothesis short : length t <= m.

Definition piece : list bool := gap (length l) (length t) (length r).

Lemma piece_in : In piece (contiguous_up_to m (length s)).
Proof.
  apply windows_are_all; split.
  - exists (length l), (length t), (length r); auto.
  - unfold piece; rewrite gap_length, !app_length; lia.
Qed.

Lemma without_piece : keep piece s = x.
Proof.
  unfold piece, gap.
  rewrite keep_app by apply repeat_length.
  rewrite keep_app by apply repeat_length.
  rewrite keep_all, keep_none, keep_all; auto.
Qed.

(** A second window of s hits x in one window. *)
Lemma second_window u : In u (contiguous_up_to m (length s)) ->
  exists v, In v (contiguous_up_to m (length x)) /\ keep (both piece u) s = keep v x.
Proof.
  intro H; apply windows_are_all in H; destruct H as [W E].
  rewrite !app_length in E.
  set (a := firstn (length l) u). set (b := firstn (length t) (skipn (length l) u)).
  set (c := skipn (length t) (skipn (length l) u)).
  assert (Eu : u = a ++ b ++ c) by (unfold a, b, c; rewrite !firstn_skipn; auto).
  assert (La : length a = length l) by (unfold a; rewrite firstn_length; lia).
  assert (Lb : length b = length t) by (unfold b; rewrite firstn_length, skipn_length; lia).
  assert (Lc : length c = length r) by (unfold c; rewrite !skipn_length; lia).
  clearbody a b c; subst u.
  exists (a ++ c); split.
  - apply windows_are_all; split; [apply window_without with b; exact W|rewrite !app_length; lia].
  - unfold piece, gap.
    rewrite both_app by (rewrite repeat_length; auto).
    rewrite both_app by (rewrite repeat_length; auto).
    rewrite <- La, <- Lb, <- Lc, both_all, both_none, both_all.
    rewrite keep_app by auto.
    rewrite keep_app by (rewrite repeat_length; auto).
    rewrite Lb, keep_none; simpl.
    rewrite keep_app by auto; reflexivity.
Qed.

(** All that a certificate asks: every single window of the clean text can go. *)
Theorem T5_inserted_piece y :
  (forall v, In v (contiguous_up_to m (length x)) -> h (keep v x) = y) -> answer s = y.
Proof.
  intro certified; unfold answer.
  apply T5 with (g := piece).
  - intro g; rewrite both_itself; auto.
  - intros g u; rewrite both_either_way; auto.
  - exact piece_in.
  - intros u Hu; destruct (second_window u Hu) as [v [Hv ->]]; auto.
Qed.

(** [detect], one round: an answer that all deletions of s agree on is the answer to x. *)
Theorem T5_detection c :
  (forall g, In g (contiguous_up_to m (length s)) -> h (keep g s) = c) -> h x = c.
Proof. intro all; rewrite <- without_piece; apply all, piece_in. Qed.

End InsertedPiece.
