/** Where reading a header block has come to. */
export interface Cursor {
  readonly block: Buffer;
  at: number;
}
