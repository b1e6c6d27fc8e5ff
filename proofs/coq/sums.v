(* From kernels to any number of accounts.

   The theorems of the catalogue speak of the accounts that an event touches and of one rest that stands for all
   others. These lemmas say, for any number of accounts, why that is enough: a sum over all accounts changes by what
   the touched ones change by, and what each account owes adds up to what the rest owes.

   Accounts are names of any kind that can be told apart; a book gives each a number of atoms or lots. *)

From Coq Require Import ZArith List Lia.
Import ListNotations.
Open Scope Z_scope.

Section Books.

Variable name : Type.
Variable same : forall a b : name, {a = b} + {a <> b}.

Definition book := name -> Z.

(* The book with another number for one account. *)
Definition put (f : book) (a : name) (v : Z) : book := fun b => if same a b then v else f b.

Fixpoint total (f : book) (accounts : list name) : Z :=
  match accounts with
  | [] => 0
  | a :: rest => f a + total f rest
  end.

Lemma total_same : forall f g accounts, (forall a, In a accounts -> f a = g a) -> total f accounts = total g accounts.
Proof.
  intros f g accounts. induction accounts as [| a rest IH]; intros agree; simpl; [reflexivity |].
  rewrite (agree a) by (left; reflexivity). rewrite IH; [reflexivity |]. intros b inside. apply agree. right. exact inside.
Qed.

Lemma put_here : forall f a v, put f a v a = v.
Proof. intros. unfold put. destruct (same a a); congruence. Qed.

Lemma put_elsewhere : forall f a b v, a <> b -> put f a v b = f b.
Proof. intros. unfold put. destruct (same a b); congruence. Qed.

(* An account that is not touched changes no sum. *)
Lemma total_untouched : forall f a v accounts, ~ In a accounts -> total (put f a v) accounts = total f accounts.
Proof.
  intros f a v accounts outside. apply total_same. intros b inside. apply put_elsewhere. intros equal. subst. auto.
Qed.

(* The sum over a changed map: it moves by exactly what the account moves by. *)
Theorem total_put : forall f a v accounts, NoDup accounts -> In a accounts ->
  total (put f a v) accounts = total f accounts + v - f a.
Proof.
  intros f a v accounts distinct. induction distinct as [| b rest outside distinct IH]; intros inside; [destruct inside |].
  simpl. destruct (same a b) as [equal | differ].
  - subst b. rewrite put_here, total_untouched by exact outside. lia.
  - rewrite put_elsewhere by exact differ. destruct inside as [equal | inside]; [congruence |]. rewrite IH by exact inside. lia.
Qed.

(* A posting: one debit and one equal credit. The two accounts may be the same. *)
Definition post (f : book) (debit credit : name) (amount : Z) : book :=
  let g := put f debit (f debit - amount) in put g credit (g credit + amount).

Theorem posting_conserves : forall f debit credit amount accounts, NoDup accounts -> In debit accounts ->
  In credit accounts -> total (post f debit credit amount) accounts = total f accounts.
Proof. intros. unfold post. rewrite total_put, total_put by assumption. lia. Qed.

(* Any number of postings, as one transition makes them or all transitions of a history. *)
Fixpoint post_all (f : book) (postings : list (name * name * Z)) : book :=
  match postings with
  | [] => f
  | (debit, credit, amount) :: rest => post_all (post f debit credit amount) rest
  end.

Theorem postings_conserve : forall postings f accounts, NoDup accounts ->
  (forall debit credit amount, In (debit, credit, amount) postings -> In debit accounts /\ In credit accounts) ->
  total (post_all f postings) accounts = total f accounts.
Proof.
  induction postings as [| [[debit credit] amount] rest IH]; intros f accounts distinct inside; simpl; [reflexivity |].
  destruct (inside debit credit amount) as [one other]; [left; reflexivity |].
  rewrite IH; [apply posting_conserves; assumption | exact distinct |].
  intros d c x later. apply (inside d c x). right. exact later.
Qed.

(* What every account owes for an index adds up to what one pair of sums owes: the rest of the world. *)
Definition owed (size cost settled : book) (index : Z) : book := fun a => cost a + size a * (index - settled a).

Theorem rest_of_the_world : forall size cost settled index accounts,
  total (owed size cost settled index) accounts =
  total (fun a => cost a - size a * settled a) accounts + total size accounts * index.
Proof. intros. induction accounts as [| a rest IH]; simpl; [lia |]. rewrite IH. unfold owed. lia. Qed.

(* Funding is zero-sum: where sizes sum to zero, a step of the index moves nothing in the sum of what is owed. *)
Theorem funding_zero_sum : forall size cost settled index step accounts, total size accounts = 0 ->
  total (owed size cost settled (index + step)) accounts = total (owed size cost settled index) accounts.
Proof. intros. rewrite !rest_of_the_world. nia. Qed.

(* Long and short positions may be counted apart: open interest is the sum of the long ones. *)
Theorem long_and_short : forall size accounts,
  total size accounts = total (fun a => Z.max 0 (size a)) accounts + total (fun a => Z.min 0 (size a)) accounts.
Proof. intros. induction accounts as [| a rest IH]; simpl; [lia |]. rewrite IH. lia. Qed.

End Books.

(* Shares of an amount. *)

Fixpoint sum (weights : list Z) : Z :=
  match weights with
  | [] => 0
  | w :: rest => w + sum rest
  end.

(* A haircut pro rata, each share rounded down by itself: never more than there is, for any number of claims. *)
Fixpoint floors (amount all : Z) (claims : list Z) : Z :=
  match claims with
  | [] => 0
  | c :: rest => c * amount / all + floors amount all rest
  end.

Lemma floors_scaled : forall amount all claims, 0 < all -> floors amount all claims * all <= sum claims * amount.
Proof.
  intros amount all claims positive. induction claims as [| c rest IH]; simpl; [lia |].
  pose proof (Z.mul_div_le (c * amount) all positive). lia.
Qed.

Theorem haircut_pays_no_more_than_there_is : forall amount all claims, 0 <= amount -> 0 < all -> sum claims <= all ->
  floors amount all claims <= amount.
Proof. intros amount all claims some positive within. pose proof (floors_scaled amount all claims positive). nia. Qed.

Theorem haircut_pays_nobody_more_than_the_claim : forall amount all claim, 0 <= claim -> amount <= all -> 0 < all ->
  claim * amount / all <= claim.
Proof.
  intros amount all claim some within positive. apply Z.div_le_upper_bound; [exact positive |]. nia.
Qed.

(* Shares by cumulative floor (NUM-5): the difference of two floors each. *)
Definition share (amount all before weight : Z) : Z := amount * (before + weight) / all - amount * before / all.

Fixpoint shares (amount all before : Z) (weights : list Z) : Z :=
  match weights with
  | [] => 0
  | w :: rest => share amount all before w + shares amount all (before + w) rest
  end.

Lemma shares_telescope : forall weights amount all before,
  shares amount all before weights = amount * (before + sum weights) / all - amount * before / all.
Proof.
  induction weights as [| w rest IH]; intros amount all before; simpl.
  - rewrite Z.add_0_r. lia.
  - rewrite IH. unfold share. replace (before + w + sum rest) with (before + (w + sum rest)) by lia. lia.
Qed.

(* Over all weights the shares sum to the amount exactly, however many there are. *)
Theorem shares_sum_exactly : forall weights amount all, all = sum weights -> 0 < all ->
  shares amount all 0 weights = amount.
Proof.
  intros weights amount all whole positive. rewrite shares_telescope, Z.mul_0_r, Z.div_0_l, Z.add_0_l by lia.
  rewrite <- whole, Z.div_mul by lia. lia.
Qed.

Theorem share_at_most_weight : forall amount all before weight, 0 <= amount <= all -> 0 < all -> 0 <= weight ->
  0 <= share amount all before weight <= weight.
Proof.
  intros amount all before weight [some within] positive part. unfold share.
  pose proof (Z.mul_div_le (amount * (before + weight)) all positive).
  pose proof (Z.mul_succ_div_gt (amount * (before + weight)) all positive).
  pose proof (Z.mul_div_le (amount * before) all positive).
  pose proof (Z.mul_succ_div_gt (amount * before) all positive).
  assert (0 <= amount * weight <= all * weight) by nia.
  nia.
Qed.

Print Assumptions total_put.
Print Assumptions posting_conserves.
Print Assumptions postings_conserve.
Print Assumptions rest_of_the_world.
Print Assumptions funding_zero_sum.
Print Assumptions long_and_short.
Print Assumptions haircut_pays_no_more_than_there_is.
Print Assumptions haircut_pays_nobody_more_than_the_claim.
Print Assumptions shares_sum_exactly.
Print Assumptions share_at_most_weight.
