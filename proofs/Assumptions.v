(** What the theorems rest on: for each of them, nothing. *)

From Proofs Require Import Deletion LemmaA LemmaB T1 T3 T2b T1n T5 T5_forms.

Print Assumptions weights_sum_to_one.
Print Assumptions lemma_A.
Print Assumptions E1.
Print Assumptions E1_divided.
Print Assumptions E3.
Print Assumptions typed_rates_certified.
Print Assumptions lemma_B_edits.
Print Assumptions lemma_B_insertions.
Print Assumptions lemma_B_deletions.
Print Assumptions lemma_B_mixtures.
Print Assumptions T1_edits.
Print Assumptions T1_insertions.
Print Assumptions T1_deletions.
Print Assumptions T1_backward_insertions.
Print Assumptions T1_mixtures.
Print Assumptions T1_edits_value.
Print Assumptions T1_insertions_value.
Print Assumptions T1_deletions_value.
Print Assumptions T3_one_base_classifier.
Print Assumptions T3_edits.
Print Assumptions T3_insertions.
Print Assumptions T3_deletions.
Print Assumptions T3_mixtures.
Print Assumptions T2b_edits.
Print Assumptions T2b_insertions.
Print Assumptions T2b_deletions.
Print Assumptions T2b_mixtures.
Print Assumptions T1n.
Print Assumptions T1n_margin.
Print Assumptions T1n_edits.
Print Assumptions T1n_insertions.
Print Assumptions T1n_deletions.
Print Assumptions T5.
Print Assumptions T5_inserted_piece.
Print Assumptions T5_detection.
Print Assumptions T5_scattered_insertions.
Print Assumptions T5_scattered_edits.
Print Assumptions T5_replaced_block.
Print Assumptions T5_edited_block.
