import { EncryptJWT, jwtDecrypt } from 'jose';

/**
 * Values that browsers keep for us in cookies and can neither read nor change: JWE (RFC 7516), A256GCM with a key that only this
 * server has. `purpose` is part of it, so that what was sealed for one use opens for no other.
 */
export class Seal {
  readonly #key: Uint8Array;
  readonly #clock: () => Date;

  /** @param key 32 random bytes */
  constructor(key: Uint8Array, clock: () => Date) {
    this.#key = key;
    this.#clock = clock;
  }

  seal(purpose: string, content: Readonly<Record<string, unknown>>, seconds: number): Promise<string> {
    const now = Math.floor(this.#clock().getTime() / 1000);
    return new EncryptJWT({ ...content })
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM' })
      .setAudience(purpose)
      .setIssuedAt(now)
      .setExpirationTime(now + seconds)
      .encrypt(this.#key);
  }

  /** Undefined for what is not ours, of another use, or over. */
  async open(purpose: string, text: string): Promise<ReadonlyMap<string, unknown> | undefined> {
    try {
      const { payload } = await jwtDecrypt(text, this.#key, {
        audience: purpose,
        currentDate: this.#clock(),
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
        requiredClaims: ['exp'],
      });
      return new Map(Object.entries(payload));
    } catch {
      return undefined;
    }
  }
}
