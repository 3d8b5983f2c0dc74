import 'reflect-metadata';
import * as x509 from '@peculiar/x509';

/** Clocks that are read coarsely lag a little: what is issued at the turn of a second must not be ahead of them. */
const earlier = (): Date => new Date(Date.now() - 60_000);

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
} as const;

export interface Issued {
  readonly cert: string;
  readonly key: string;
}

/** A root for one test run, and certificates with URI SANs from it. */
export class TestAuthority {
  readonly #root: x509.X509Certificate;
  readonly #keys: CryptoKeyPair;
  #serial = 1;

  private constructor(root: x509.X509Certificate, keys: CryptoKeyPair) {
    this.#root = root;
    this.#keys = keys;
  }

  static async create(): Promise<TestAuthority> {
    const keys = await crypto.subtle.generateKey(EC, true, ['sign', 'verify']);
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: '01',
      notBefore: earlier(),
      name: 'O=test',
      keys,
      signingAlgorithm: EC,
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      ],
    });
    return new TestAuthority(root, keys);
  }

  get root(): string {
    return this.#root.toString('pem');
  }

  issue(...uris: readonly string[]): Promise<Issued> {
    return this.#certify(uris.map((value) => ({ type: 'url', value })));
  }

  /** For a server outside of the mesh, known by its DNS names. */
  issueForHost(...hosts: readonly string[]): Promise<Issued> {
    return this.#certify(hosts.map((value) => ({ type: 'dns', value })));
  }

  /** The same with an RSA key. */
  issueRsa(host: string): Promise<Issued> {
    return this.#certify([{ type: 'dns', value: host }], RSA);
  }

  /** A list in which one certificate is revoked, PEM. */
  async revoke({ cert }: Issued): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.#root.subject,
      thisUpdate: earlier(),
      nextUpdate: new Date(Date.now() + 3_600_000),
      entries: [
        {
          serialNumber: new x509.X509Certificate(cert).serialNumber,
          revocationDate: earlier(),
          reason: x509.X509CrlReason.keyCompromise,
        },
      ],
      signingAlgorithm: EC,
      signingKey: this.#keys.privateKey,
    });
    // The library's own name for it is one that nobody else reads.
    return x509.PemConverter.encode(crl.rawData, 'X509 CRL');
  }

  async #certify(names: x509.JsonGeneralName[], kind: EcKeyGenParams | RsaHashedKeyGenParams = EC): Promise<Issued> {
    const keys = await crypto.subtle.generateKey(kind, true, ['sign', 'verify']);
    this.#serial += 1;
    const cert = await x509.X509CertificateGenerator.create({
      serialNumber: this.#serial.toString(16).padStart(2, '0'),
      notBefore: earlier(),
      subject: '',
      issuer: this.#root.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: EC,
      extensions: [
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']),
        new x509.SubjectAlternativeNameExtension(names, true),
      ],
    });
    const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
    return { cert: cert.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
  }
}
