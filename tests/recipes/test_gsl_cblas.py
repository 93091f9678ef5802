"""The BLAS of the recipes: its blocked matrix product is the product, for every shape, order and transposition."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
CHECK = r"""
#include <gsl/gsl_cblas.h>
#include <math.h>
#include <stdio.h>

enum { LD = 90 };
static double A[LD * 320], B[LD * 320], C[LD * LD], D[LD * LD];
static float As[LD * 320], Bs[LD * 320], Cs[LD * LD];
static unsigned long long state = 1;
static double next(void)
{
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (int)(state >> 40) % 17;
}
static double at(const double *m, int ld, int column_major, int transposed, int i, int j)
{
    return column_major != transposed ? m[j * ld + i] : m[i * ld + j];
}

int main(void)
{
    int sizes[] = {1, 2, 3, 4, 5, 7, 8, 9, 13, 63, 64, 65, 70}, depths[] = {1, 7, 8, 9, 64, 255, 256, 257, 300};
    int n = sizeof sizes / sizeof *sizes, d = sizeof depths / sizeof *depths, cases = 0, wrong = 0;
    for (int i = 0; i < LD * 320; i++)
        As[i] = A[i] = next(), Bs[i] = B[i] = next();
    for (int which = 0; which < 8; which++)
        for (int a = 0; a < n; a++)
            for (int b = 0; b < n; b++)
                for (int c = which % d; c < d; c += 2) {
                    int M = sizes[a], N = sizes[b], K = depths[c];
                    int column = which & 1, ta = which >> 1 & 1, tb = which >> 2;
                    int lda = column != ta ? LD : 320, ldb = column != tb ? 320 : LD;
                    for (int i = 0; i < LD * LD; i++)
                        Cs[i] = C[i] = D[i] = next();
                    for (int i = 0; i < M; i++)
                        for (int j = 0; j < N; j++) {
                            double sum = 0;
                            for (int k = 0; k < K; k++)
                                sum += at(A, lda, column, ta, i, k) * at(B, ldb, column, tb, k, j);
                            double *to = column ? &D[j * LD + i] : &D[i * LD + j];
                            *to = 2 * sum - 3 * *to;
                        }
                    enum CBLAS_ORDER order = column ? CblasColMajor : CblasRowMajor;
                    enum CBLAS_TRANSPOSE transA = ta ? CblasTrans : CblasNoTrans;
                    enum CBLAS_TRANSPOSE transB = tb ? CblasTrans : CblasNoTrans;
                    cblas_dgemm(order, transA, transB, M, N, K, 2, A, lda, B, ldb, -3, C, LD);
                    cblas_sgemm(order, transA, transB, M, N, K, 2, As, lda, Bs, ldb, -3, Cs, LD);
                    cases++; /* whole numbers: every order of summing gives the same, and what is beside C stays */
                    for (int i = 0; i < LD * LD; i++)
                        if (C[i] != D[i] || Cs[i] != (float)D[i]) { wrong++; break; }
                }
    printf("%d cases, %d wrong\n", cases, wrong);
    return wrong != 0;
}
"""
SCONSTRUCT = """\
env = Environment(tools=["argosy"])
recipes = env.ArgosyRecipes("recipes", build="build")
env.ArgosyProgram("check", ["check.c"], requires=["gsl-cblas"], link=["-lgslcblas"])
"""


def test_the_matrix_product_is_right_for_every_shape(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/gsl-cblas").symlink_to(RECIPES / "gsl-cblas")
    (tmp_path / "SConstruct").write_text(SCONSTRUCT)
    (tmp_path / "check.c").write_text(CHECK)
    built = subprocess.run(
        [sys.executable, "-m", "SCons", "-j2", "check.wasm"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert built.returncode == 0, built.stderr
    command = [sys.executable, "-m", "argosy.cli", "run", "--unsigned", str(tmp_path / "check.wasm")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith(" cases, 0 wrong\n"), done.stdout + done.stderr
    assert int(done.stdout.split()[0]) > 4000
