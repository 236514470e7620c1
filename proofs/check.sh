#!/bin/sh
# Compile all proofs in a folder of its own (first argument, default build/proofs), and see what they rest on.
# Fails where a proof is left open, an axiom is stated, or a theorem rests on anything.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-build/proofs}
command -v coqc >/dev/null || { echo "coqc is not here; install Coq 8.16 or later (Debian: apt install coq)" >&2; exit 2; }

if grep -nwE 'Admitted|admit|give_up|Axioms?|Parameters?|Conjecture|bypass_check' "$here"/*.v; then
    echo "an open proof or an axiom, see above" >&2
    exit 1
fi
mkdir -p "$out"
cp "$here"/*.v "$out"
cd "$out"
for file in Deletion LemmaA LemmaB T1 T3 T2b T1n T5 T5_forms; do # each needs those before it
    echo "$file.v"
    coqc -q -Q . Proofs "$file.v"
done
coqc -q -Q . Proofs Assumptions.v > assumptions.txt
grep '^Print Assumptions' Assumptions.v | sed 's/Print Assumptions \(.*\)\./\1/' | paste - assumptions.txt | sed 's/^/  /'
if [ "$(grep -c . assumptions.txt)" -ne "$(grep -c '^Print Assumptions' Assumptions.v)" ] \
    || grep -qv '^Closed under the global context$' assumptions.txt; then
    echo "a theorem rests on something that is not proved, see above" >&2
    exit 1
fi
echo "all proved, no axioms"
