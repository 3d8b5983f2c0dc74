/** The authority cannot be opened; the message says why and what to do. Thrown at start only, for the command to print. */
export class AuthorityError extends Error {
  override readonly name = 'AuthorityError';
}
