import { EncryptJWT, jwtDecrypt } from 'jose';

/**
 * Values that browsers keep for us in cookies and can neither read nor change: JWE (RFC 7516), A256GCM with a key that only this
 * server and its replicas have. `purpose` is part of it, so that what was sealed for one use opens for no other.
 */
export class Seal {
  readonly #keys: () => readonly Uint8Array[];
  readonly #clock: () => Date;

  /** @param keys each of 32 random bytes, as they are now: the first seals, all open; none: nothing is sealed or opened */
  constructor(keys: () => readonly Uint8Array[], clock: () => Date) {
    this.#keys = keys;
    this.#clock = clock;
  }

  /** @throws Error when there is no key */
  async seal(purpose: string, content: Readonly<Record<string, unknown>>, seconds: number): Promise<string> {
    const [key] = this.#keys();
    if (key === undefined) throw new Error('there is no key for sessions');
    const now = Math.floor(this.#clock().getTime() / 1000);
    return new EncryptJWT({ ...content })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setAudience(purpose)
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .encrypt(key);
  }

  /** Undefined for what is not ours, of another use, or over. */
  async open(purpose: string, text: string): Promise<ReadonlyMap<string, unknown> | undefined> {
    for (const key of this.#keys()) {
      try {
        const { payload } = await jwtDecrypt(text, key, {
          audience: purpose,
          currentDate: this.#clock(),
          keyManagementAlgorithms: ['dir'],
          contentEncryptionAlgorithms: ['A256GCM'],
          requiredClaims: ['exp'],
        });
        return new Map(Object.entries(payload));
      } catch {
        // With another, perhaps: keys are changed while sessions last.
      }
    }
    return undefined;
  }
}
