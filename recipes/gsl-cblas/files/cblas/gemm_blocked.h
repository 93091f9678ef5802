/* C := alpha op(F) op(G) + C in blocks that fit the caches, for real matrices in row-major order.
 *
 * GSL's own loops go through the whole of C for each k, and so run at the speed of the memory. Here a panel of op(F),
 * times alpha, and a strip of op(G) are packed side by side; a tile of C is summed up in registers, in the order of k.
 * Written in plain C for compilers to vectorize: rows by columns of a tile are constants.
 *
 * BASE is the element type. Tiles at the edges are computed whole, on zeros, and written in part. */

#define TILE_ROWS 4
#define TILE_COLUMNS ((int) (32 / sizeof (BASE)))
#define PANEL_ROWS 64
#define PANEL_DEPTH 256

static void
gemm_tile (const int depth, const BASE *restrict f, const BASE *restrict g, BASE tile[restrict TILE_ROWS][TILE_COLUMNS])
{
  BASE sum[TILE_ROWS][TILE_COLUMNS] = { { 0 } };
  for (int k = 0; k < depth; k++)
    for (int i = 0; i < TILE_ROWS; i++)
      for (int j = 0; j < TILE_COLUMNS; j++)
        sum[i][j] += f[k * TILE_ROWS + i] * g[k * TILE_COLUMNS + j];
  for (int i = 0; i < TILE_ROWS; i++)
    for (int j = 0; j < TILE_COLUMNS; j++)
      tile[i][j] = sum[i][j];
}

/* Copy `count` lines of `depth` elements into lines of `width`, transposed, padded with zeros. */
static void
gemm_pack (BASE *restrict packed, const int width, const int count, const int depth, const BASE scale,
           const BASE *restrict from, const size_t line, const size_t element)
{
  for (int k = 0; k < depth; k++)
    for (int i = 0; i < width; i++)
      packed[k * width + i] = i < count ? scale * from[i * line + k * element] : 0;
}

static void
gemm_blocked (const int rows, const int columns, const int depth, const BASE alpha,
              const BASE *F, const size_t f_row, const size_t f_depth,
              const BASE *G, const size_t g_depth, const size_t g_column, BASE *C, const size_t ldc)
{
  static _Thread_local BASE panel[PANEL_ROWS * PANEL_DEPTH];
  BASE strip[PANEL_DEPTH * TILE_COLUMNS], tile[TILE_ROWS][TILE_COLUMNS];

  for (int k = 0; k < depth; k += PANEL_DEPTH) {
    const int deep = depth - k < PANEL_DEPTH ? depth - k : PANEL_DEPTH;
    for (int top = 0; top < rows; top += PANEL_ROWS) {
      const int high = rows - top < PANEL_ROWS ? rows - top : PANEL_ROWS;
      for (int i = 0; i < high; i += TILE_ROWS)
        gemm_pack (panel + i * deep, TILE_ROWS, high - i, deep, alpha,
                   F + (top + i) * f_row + k * f_depth, f_row, f_depth);
      for (int j = 0; j < columns; j += TILE_COLUMNS) {
        const int wide = columns - j < TILE_COLUMNS ? columns - j : TILE_COLUMNS;
        gemm_pack (strip, TILE_COLUMNS, wide, deep, 1, G + k * g_depth + j * g_column, g_column, g_depth);
        for (int i = 0; i < high; i += TILE_ROWS) {
          const int tall = high - i < TILE_ROWS ? high - i : TILE_ROWS;
          BASE *const corner = C + (top + i) * ldc + j;
          gemm_tile (deep, panel + i * deep, strip, tile);
          if (tall == TILE_ROWS && wide == TILE_COLUMNS) {
            for (int r = 0; r < TILE_ROWS; r++)
              for (int c = 0; c < TILE_COLUMNS; c++)
                corner[r * ldc + c] += tile[r][c];
          } else {
            for (int r = 0; r < tall; r++)
              for (int c = 0; c < wide; c++)
                corner[r * ldc + c] += tile[r][c];
          }
        }
      }
    }
  }
}
