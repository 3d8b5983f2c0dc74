// A certificate authority for the agent's tests: real TLS gRPC, real signing, and switches for what may go wrong.
import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import {
  type sendUnaryData,
  Server,
  type ServiceDefinition,
  type UntypedServiceImplementation,
  ServerCredentials,
  type ServerUnaryCall,
  status,
} from '@grpc/grpc-js';
import * as x509 from '@peculiar/x509';
import {
  type IstioCertificateRequest,
  type IstioCertificateResponse,
  IstioCertificateResponseSchema,
  IstioCertificateService,
} from '#gen/gatehouse/ca/v1/istio_ca_pb.js';
import { rpc } from '../../sds/grpc.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const usages = x509.KeyUsageFlags;

export interface Issued {
  readonly serial: string;
  readonly id: string;
  /** How the caller proved who it is. */
  readonly token: string | undefined;
  readonly peerSerial: string | undefined;
}

export interface Refusal {
  readonly code: status;
  readonly details: string;
}

export interface KeyedCertificate {
  readonly certificate: x509.X509Certificate;
  readonly keys: CryptoKeyPair;
}

export async function pkcs8Pem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

export function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

const serialNumber = () => `01${randomBytes(15).toString('hex')}`;

/** A root with a name of its own: verifiers find issuers by name first. */
export async function selfSignedRoot(name = `test root ${randomBytes(4).toString('hex')}`): Promise<KeyedCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `O=${name}`,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 86_400_000),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(usages.keyCertSign, true),
    ],
  });
  return { certificate, keys };
}

export interface LeafOptions {
  readonly names: x509.JsonGeneralNames;
  readonly publicKey: x509.PublicKeyType;
  readonly lifetimeMs: number;
  readonly backdateMs?: number;
  readonly ca?: boolean;
  readonly usages?: x509.KeyUsageFlags;
}

export function signLeaf(root: KeyedCertificate, options: LeafOptions): Promise<x509.X509Certificate> {
  return x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: '',
    issuer: root.certificate.subject,
    notBefore: new Date(Date.now() - (options.backdateMs ?? 2000)),
    notAfter: new Date(Date.now() + options.lifetimeMs),
    signingAlgorithm: ALGORITHM,
    publicKey: options.publicKey,
    signingKey: root.keys.privateKey,
    extensions: [
      new x509.BasicConstraintsExtension(options.ca ?? false, undefined, true),
      new x509.KeyUsagesExtension(options.usages ?? usages.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(options.names, true),
    ],
  });
}

/** A leaf with a key of its own. */
export async function leafWithKey(root: KeyedCertificate, options: Omit<LeafOptions, 'publicKey'>): Promise<KeyedCertificate> {
  const keys = await newKeys();
  return { keys, certificate: await signLeaf(root, { ...options, publicKey: keys.publicKey }) };
}

/** Asks for a client certificate and takes none as well; who has one that does not lead to the root counts as having none. */
class ClientMayAuthenticate extends ServerCredentials {
  constructor(ca: string, cert: string, key: string) {
    super({ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' }, { ca, cert, key });
  }
  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

/** Another service on the same port. */
export interface Extra {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export class TestAuthority {
  readonly root: KeyedCertificate;
  readonly issued: Issued[] = [];
  /** Lifetime of what is signed from now on. */
  lifetimeMs = 3_600_000;
  /** Decides about each call; undefined lets it pass. */
  refuse: (call: { token: string | undefined; peerSerial: string | undefined }) => Refusal | undefined = () => undefined;
  calls = 0;
  port = 0;
  readonly extras: Extra[] = [];
  readonly #host: string;
  #server: Server | undefined;

  private constructor(root: KeyedCertificate, host: string) {
    this.root = root;
    this.#host = host;
  }

  static async start(extras: readonly Extra[] = [], host = '127.0.0.1', root?: KeyedCertificate): Promise<TestAuthority> {
    const authority = new TestAuthority(root ?? (await selfSignedRoot()), host);
    authority.extras.push(...extras);
    await authority.up();
    return authority;
  }

  get address(): string {
    return `${this.#host}:${this.port}`;
  }

  get rootPem(): string {
    return this.root.certificate.toString('pem');
  }

  /** Listens, on the same port as before if there was one. */
  async up(): Promise<void> {
    const own = await leafWithKey(this.root, { names: [{ type: 'dns', value: 'gatehouse' }], lifetimeMs: 3_600_000 });
    const server = new Server();
    const method = rpc(IstioCertificateService.method.createCertificate);
    server.addService(
      { createCertificate: method },
      {
        createCertificate: (
          call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
          reply: sendUnaryData<IstioCertificateResponse>,
        ) => {
          this.#answer(call).then(
            (answer) => ('code' in answer ? reply(answer) : reply(null, answer)),
            (error: unknown) => reply({ code: status.INTERNAL, details: String(error) }),
          );
        },
      },
    );
    for (const { definition, implementation } of this.extras) server.addService(definition, implementation);
    const credentials = new ClientMayAuthenticate(
      this.rootPem,
      own.certificate.toString('pem'),
      await pkcs8Pem(own.keys.privateKey),
    );
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`${this.#host}:${this.port}`, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    this.#server = server;
  }

  down(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
  }

  async #answer(
    call: ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>,
  ): Promise<IstioCertificateResponse | Refusal> {
    this.calls += 1;
    const bearer = call.metadata.get('authorization')[0]?.toString();
    const token = bearer?.replace(/^Bearer /, '');
    const peerSerial = call.getAuthContext().sslPeerCertificate?.serialNumber?.toLowerCase();
    const refusal = this.refuse({ token, peerSerial });
    if (refusal !== undefined) return refusal;
    if (token === undefined && peerSerial === undefined) return { code: status.UNAUTHENTICATED, details: 'no evidence' };
    const request = new x509.Pkcs10CertificateRequest(call.request.csr);
    if (!(await request.verify())) return { code: status.INVALID_ARGUMENT, details: 'the request is not signed by its key' };
    const alternative = request.getExtension(SUBJECT_ALTERNATIVE_NAME);
    const names = alternative === null ? [] : new x509.SubjectAlternativeNameExtension(alternative.rawData).names.toJSON();
    const certificate = await signLeaf(this.root, { names, publicKey: request.publicKey, lifetimeMs: this.lifetimeMs });
    this.issued.push({ serial: certificate.serialNumber, id: names[0]?.value ?? '', token, peerSerial });
    return create(IstioCertificateResponseSchema, { certChain: [certificate.toString('pem'), this.rootPem] });
  }
}
