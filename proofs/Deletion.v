(** Texts, deletion masks and the probability of a class: what all theorems are about.

    A text is a list of units. A mask says of each unit whether it is kept. The sample space of deletion is
    the finite list of all masks of the right length, each with the product of the rates of its units as its
    weight; a rate is a rational number and may depend on the unit (constant rates are a special case).
    Probabilities are sums over masks, over the rationals: no real numbers, hence no axioms. *)

Require Import Coq.QArith.QArith Coq.micromega.Lqa Coq.Lists.List Coq.Bool.Bool.
Import ListNotations.
Open Scope Q_scope.

(** Finite sums. *)

Fixpoint sum (A : Type) (f : A -> Q) (l : list A) : Q :=
  match l with
  | [] => 0
  | a :: l' => f a + sum A f l'
  end.
Arguments sum {A} f l.

Lemma sum_app {A} (f : A -> Q) l r : sum f (l ++ r) == sum f l + sum f r.
Proof. induction l; simpl; [|rewrite IHl]; ring. Qed.

Lemma sum_map {A B} (f : B -> Q) (g : A -> B) l : sum f (map g l) == sum (fun a => f (g a)) l.
Proof. induction l; simpl; [|rewrite IHl]; ring. Qed.

Lemma sum_ext {A} (f g : A -> Q) l : (forall a, f a == g a) -> sum f l == sum g l.
Proof. intro H; induction l; simpl; [|rewrite IHl, H]; ring. Qed.

Lemma sum_ext_in {A} (f g : A -> Q) l : (forall a, In a l -> f a == g a) -> sum f l == sum g l.
Proof.
  induction l; simpl; intro H; [ring|].
  rewrite IHl, (H a); auto; ring.
Qed.

Lemma sum_scale {A} (c : Q) (f : A -> Q) l : sum (fun a => c * f a) l == c * sum f l.
Proof. induction l; simpl; [|rewrite IHl]; ring. Qed.

Lemma sum_plus {A} (f g : A -> Q) l : sum (fun a => f a + g a) l == sum f l + sum g l.
Proof. induction l; simpl; [|rewrite IHl]; ring. Qed.

Lemma sum_le {A} (f g : A -> Q) l : (forall a, In a l -> f a <= g a) -> sum f l <= sum g l.
Proof.
  induction l; simpl; intro H; [lra|].
  assert (f a <= g a) by auto. assert (sum f l <= sum g l) by auto. lra.
Qed.

Lemma sum_zero {A} (l : list A) : sum (fun _ => 0) l == 0.
Proof. induction l; simpl; [|rewrite IHl]; ring. Qed.

Lemma sum_swap {A B} (f : A -> B -> Q) l m :
  sum (fun a => sum (fun b => f a b) m) l == sum (fun b => sum (fun a => f a b) l) m.
Proof.
  induction l; simpl.
  - rewrite sum_zero; ring.
  - rewrite IHl, <- sum_plus; ring.
Qed.

(** Masks: [true] keeps a unit. *)

Fixpoint masks (n : nat) : list (list bool) :=
  match n with
  | O => [[]]
  | S n' => map (cons false) (masks n') ++ map (cons true) (masks n')
  end.

(** It is the list of all of them, each once. *)

Lemma masks_complete n m : In m (masks n) <-> length m = n.
Proof.
  revert m; induction n; simpl; intro m.
  - split; [intros [<-|[]]; reflexivity|destruct m; [auto|discriminate]].
  - rewrite in_app_iff, !in_map_iff; split.
    + intros [[k [<- H]]|[k [<- H]]]; simpl; f_equal; apply IHn; exact H.
    + destruct m as [|[] m]; [discriminate|right|left]; exists m; split; auto; apply IHn; auto.
Qed.

Lemma masks_distinct n : NoDup (masks n).
Proof.
  assert (cons_inj : forall b (l : list (list bool)), NoDup l -> NoDup (map (cons b) l)).
  { intros b l H; induction H; simpl; constructor; auto.
    rewrite in_map_iff; intros [k [E F]]; inversion E; subst; auto. }
  induction n; simpl; [repeat constructor; auto|].
  assert (apart : forall l r : list (list bool), NoDup l -> NoDup r ->
                  NoDup (map (cons false) l ++ map (cons true) r)).
  { intros l r Hl Hr; induction Hl as [|k l Hk Hl IH]; simpl; auto.
    constructor; auto. rewrite in_app_iff, !in_map_iff.
    intros [[j [E F]]|[j [E F]]]; inversion E; subst; auto. }
  apply apart; auto.
Qed.

Section Deletion.

(** Units of any kind; a text is a list of them. *)
Variable U : Type.
Notation text := (list U).

(** What a mask leaves of a text. *)
Fixpoint keep (m : list bool) (x : text) : text :=
  match m, x with
  | true :: m', u :: x' => u :: keep m' x'
  | false :: m', _ :: x' => keep m' x'
  | _, _ => []
  end.

(** The probability of a mask: each unit is deleted, independently, with its rate. *)
Fixpoint weight (w : U -> Q) (m : list bool) (x : text) : Q :=
  match m, x with
  | true :: m', u :: x' => (1 - w u) * weight w m' x'
  | false :: m', u :: x' => w u * weight w m' x'
  | _, _ => 1
  end.

(** The expectation of [f] on what deletion leaves. For [f] the probability with which a base classifier
    answers class c this is p_c(x); a deterministic classifier is one whose probabilities are 0 or 1. *)
Definition smooth (w : U -> Q) (f : text -> Q) (x : text) : Q :=
  sum (fun m => weight w m x * f (keep m x)) (masks (length x)).

(** Deleting the first unit or not: the recursion behind all proofs. *)
Lemma smooth_cons w f u x :
  smooth w f (u :: x) == w u * smooth w f x + (1 - w u) * smooth w (fun z => f (u :: z)) x.
Proof.
  unfold smooth; simpl.
  rewrite sum_app, !sum_map; simpl.
  rewrite <- !sum_scale.
  apply Qplus_comp; apply sum_ext; intro m; ring.
Qed.

Lemma smooth_nil w f : smooth w f [] == f [].
Proof. unfold smooth; simpl; ring. Qed.

Lemma smooth_ext w f g x : (forall z, f z == g z) -> smooth w f x == smooth w g x.
Proof. intro H; apply sum_ext; intro m; rewrite H; ring. Qed.

Lemma smooth_plus w f g x : smooth w (fun z => f z + g z) x == smooth w f x + smooth w g x.
Proof. unfold smooth; rewrite <- sum_plus; apply sum_ext; intro m; ring. Qed.

Lemma smooth_scale w c f x : smooth w (fun z => c * f z) x == c * smooth w f x.
Proof. unfold smooth; rewrite <- sum_scale; apply sum_ext; intro m; ring. Qed.

(** Rates are probabilities. *)
Definition rates (w : U -> Q) : Prop := forall u, 0 <= w u <= 1.

(** Bounds of [f] are bounds of its expectation; with f = 1: the weights sum to 1. *)
Lemma smooth_bounds w f lo hi x : rates w ->
  (forall z, lo <= f z <= hi) -> lo <= smooth w f x <= hi.
Proof.
  intro Hw; revert f; induction x as [|u x IH]; intros f Hf.
  - rewrite smooth_nil; auto.
  - rewrite smooth_cons.
    pose proof (Hw u). pose proof (IH f Hf).
    pose proof (IH (fun z => f (u :: z)) (fun z => Hf (u :: z))).
    nra.
Qed.

Lemma weights_sum_to_one w x : smooth w (fun _ => 1) x == 1.
Proof.
  induction x as [|u x IH]; [apply smooth_nil|].
  rewrite smooth_cons, IH; ring.
Qed.

(** The probability that units [d] are all deleted. *)
Fixpoint all_deleted (w : U -> Q) (d : text) : Q :=
  match d with
  | [] => 1
  | u :: d' => w u * all_deleted w d'
  end.

Lemma all_deleted_bounds w d : rates w -> 0 <= all_deleted w d <= 1.
Proof.
  intro Hw; induction d as [|u d IH]; simpl; [lra|].
  pose proof (Hw u); nra.
Qed.

(** w^n, for a rate that is the same for all units. *)
Fixpoint power (w : Q) (n : nat) : Q :=
  match n with
  | O => 1
  | S n' => w * power w n'
  end.

Lemma all_deleted_uniform w d : all_deleted (fun _ => w) d == power w (length d).
Proof. induction d; simpl; [|rewrite IHd]; ring. Qed.

Lemma power_bounds w n : 0 <= w <= 1 -> 0 <= power w n <= 1.
Proof. intro Hw; induction n; simpl; [lra|nra]. Qed.

Lemma power_falls w n k : 0 <= w <= 1 -> (n <= k)%nat -> power w k <= power w n.
Proof.
  intros Hw H; induction H; [lra|simpl].
  pose proof (power_bounds w m Hw); nra.
Qed.

End Deletion.

Arguments keep {U} m x.
Arguments weight {U} w m x.
Arguments smooth {U} w f x.
Arguments rates {U} w.
Arguments all_deleted {U} w d.
Arguments smooth_cons {U} w f u x.
Arguments smooth_nil {U} w f.
Arguments smooth_ext {U} w f g x.
Arguments smooth_plus {U} w f g x.
Arguments smooth_scale {U} w c f x.
Arguments smooth_bounds {U} w f lo hi x.
Arguments weights_sum_to_one {U} w x.
Arguments all_deleted_bounds {U} w d.
Arguments all_deleted_uniform {U} w d.
