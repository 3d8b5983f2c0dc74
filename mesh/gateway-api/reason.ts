/** Why something is not as it was asked for: a reason of the API's own, and words for people. */
export interface Reason {
  readonly reason: string;
  readonly message: string;
  /** The field that it is about, where that is not the whole. */
  readonly field?: string;
}
