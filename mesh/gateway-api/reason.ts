/** Why something is not as it was asked for: a reason of the API's own, and words for people. */
export interface Reason {
  readonly reason: string;
  readonly message: string;
}
