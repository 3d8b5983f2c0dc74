import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Logger } from 'pino';
import { type AuthenticateCall, callAuthentication } from './authenticate/call.ts';
import { joinTokenFolder, type JoinTokenStore } from './authenticate/join-token-folder.ts';
import { nodeProxies, type NodeProxyRules } from './authenticate/node-proxies.ts';
import { type TokenOptions, tokensOf } from './authenticate/tokens.ts';
import { certifier } from './certify.ts';
import { type DnsRule, dnsNamesBy } from './dns/rules.ts';
import type { SpiffeId } from './identity/spiffe-id.ts';
import type { TrustDomain } from './identity/trust-domain.ts';
import { issuance, type Issue } from './issue.ts';
import { type JwtAuthority, type JwtRules, openJwtAuthority } from './jwt-svid/authority.ts';
import { type JwtKeyDocument, jwtKeyFile, jwtKeyStore } from './jwt-svid/key-file.ts';
import { type IssuanceLog, type OpenIssuanceLog, openIssuanceLog } from './log/file.ts';
import { copiesIn } from './log/gather/copy.ts';
import { Shipping } from './log/gather/shipping.ts';
import { refusalBudget } from './log/refusals.ts';
import { revocationFile, type RevocationStore } from './revocation/file.ts';
import { issuedInLogs } from './revocation/issued.ts';
import { openRevocations, type Revocations } from './revocation/revocations.ts';
import { AuthorityError } from './root/error.ts';
import { warnedBeforeMs } from './root/expiry.ts';
import { type Folder, folderAt, prepareFolder } from './root/folder.ts';
import type { NewKey } from './root/new.ts';
import { reloadOnChange } from './root/reload.ts';
import { inUseInLogs } from './rotation/in-use.ts';
import { openRotation, type RootStatus, type Rotation } from './rotation/rotation.ts';
import type { RotationStore } from './rotation/shared.ts';
import { lockFolder } from './root/lock.ts';
import type { RateLimit } from './service/rate-limit.ts';
import { type Every, renewedServerTls, type ServerTls, type ServerTlsOptions, systemEvery } from './tls/credentials.ts';
import { type PeerOf, peerVerifier } from './tls/peer.ts';
import type { UpstreamState } from './upstream/keeper.ts';
import { openUpstream, type UpstreamSettings } from './upstream/open.ts';
import { issueOwnSvid, issueServerCertificate, type ServerCertificate } from './tls/server-certificate.ts';

export { AuthorityError } from './root/error.ts';
export type { Issued, IssueRequest } from './issue.ts';

/** Without any of TokenOptions callers authenticate with certificates and join tokens only. */
export interface AuthorityOptions extends TokenOptions {
  /** The root's folder: created with mode 0700 when missing. */
  readonly dir: string;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
  readonly log: Logger;
  /** Node proxies and where pods run; without it nobody may ask for another's certificate. */
  readonly nodeProxies?: NodeProxyRules | undefined;
  /** Who may have DNS names in its certificates; without it nobody. */
  readonly dnsNames?: readonly DnsRule[] | undefined;
  /** How often one identity may ask; default: as often as its turn comes. */
  readonly limit?: RateLimit | undefined;
  /** Longest lifetime given, in seconds; default 24 h. */
  readonly maxTtlSeconds?: number | undefined;
  /** Given when the caller asks for 0; default 24 h, at most maxTtlSeconds. */
  readonly defaultTtlSeconds?: number | undefined;
  /** How a new root's key is made and kept, and where the passphrase of a kept one is. */
  readonly key?: NewKey | undefined;
  /** Who signs our intermediate; without it the root is the folder's own. */
  readonly upstream?: UpstreamSettings | undefined;
  /** Where the list of who is cut off is kept; default: in the folder. */
  readonly revocationStore?: RevocationStore | undefined;
  /** Where replicas share steps of a rotation; without it the folder has them. */
  readonly rotationStore?: RotationStore | undefined;
  /** Where join tokens are kept; default: in the folder. */
  readonly joinTokens?: JoinTokenStore | undefined;
  /** Where the keys of JWT-SVIDs are kept; default: in the folder. */
  readonly jwtKeys?: JwtKeyDocument | undefined;
  /** Lifetimes of JWT-SVIDs and of the keys that sign them. */
  readonly jwt?: JwtRules | undefined;
  /** How long proxies have to come back after a start before a rotation may go on; for tests. */
  readonly settleMs?: number | undefined;
  /** Whether others follow the issuance log, and certificates wait until one of them has what was written. */
  readonly replicated?: boolean | undefined;
  /** Timers, for tests. */
  readonly every?: Every | undefined;
}

export interface Authority {
  readonly trustDomain: TrustDomain;
  /** The roots of the trust bundle of now, PEM. */
  readonly rootCertPem: string;
  /** Which root signs, which are trusted, and how one follows another. */
  readonly rotation: Rotation;
  /** DIR/root-cert.pem, absolute. */
  readonly rootCertPath: string;
  /** When the issuing certificate ends: nothing issued lives longer. */
  readonly notAfter: Date;
  /** Authenticate, verify, authorize, log, sign, check, log. Never rejects for what a caller sent. */
  readonly issue: Issue;
  /** Signs JWT-SVIDs for the same callers. */
  readonly jwt: JwtAuthority;
  /** TLS for the control plane's gRPC server, with a certificate of this authority, renewed in place. */
  serverCredentials(options: ServerTlsOptions): Promise<ServerTls>;
  /** A certificate for the control plane itself under a SPIFFE ID that no workload can have. Rejects when none can be issued. */
  ownSvid(id: SpiffeId): Promise<ServerCertificate>;
  /** The verified TLS peer of a call; refuses foreign, expired and missing certificates. */
  readonly peerOf: PeerOf;
  /** Who makes a call, by token or certificate. */
  readonly authenticate: AuthenticateCall;
  /** Who is cut off. */
  readonly revocations: Revocations;
  /** The issuance log, and how much of it others have. */
  readonly issuanceLog: Pick<OpenIssuanceLog, 'followed' | 'checkpoint'> & { readonly shipping: Shipping };
  /** How the intermediate from above does; undefined where there is no upstream. */
  upstream(): UpstreamState | undefined;
  /** Writes what is left to the issuance log and frees the folder; nothing is issued after. May be called again. */
  close(): Promise<void>;
}

const DAY_SECONDS = 24 * 3600;

/** Opens (creating it on the first start) the authority kept in a folder. Rejects with AuthorityError, whose message says what to do. */
export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const { clock, log, trustDomain } = options;
  const lifetimes = lifetimesOf(options);
  const folder = folderAt(options.dir);
  const verifyToken = tokensOf(options, { ...options, joinTokens: options.joinTokens ?? joinTokenFolder(folder.joinTokens) });
  await prepareFolder(folder);
  const unlock = lockFolder(folder.lock, folder.dir);
  try {
    const every = options.every ?? systemEvery;
    const allLogs = async (): Promise<readonly string[]> => [
      folder.issuanceLog,
      ...(await copiesIn(folder.dir)).map(({ files }) => files.records),
    ];
    const keep =
      options.upstream && (await openUpstream({ ...options.upstream, folder, trustDomain, key: options.key, clock, every, log }));
    const rotation = await openRotation({
      folder,
      clock,
      trustDomain,
      log,
      findInUse: inUseInLogs(allLogs),
      key: options.key,
      settleMs: options.settleMs,
      store: options.rotationStore,
    });
    const { root, rootsPem: bundlePem } = rotation;
    const intermediate = keep?.(rotation.folder, root().issuer.validity);
    const look = () => {
      for (const one of rotation.status().roots) warnOfExpiry(one, clock(), log);
    };
    look();
    const kept = await openIssuanceLog(folder.issuanceLog, log, { firstAtOnce: options.replicated === true });
    const shipping = new Shipping(log);
    const issuanceLog = options.replicated === true ? shipped(kept, shipping) : kept;
    issuanceLog.note({ kind: 'opened', time: clock().toISOString(), issuer: root().issuer.certificate.fingerprint256 });
    const issues = { bundlePem, lifetimes, issuanceLog, clock, random: randomBytes };
    const certify = certifier({ ...issues, root });
    const certifyServer = certifier({ ...issues, root: rotation.serverRoot });
    const revocations = await openRevocations({
      store: options.revocationStore ?? revocationFile(folder.revocations),
      findIssued: issuedInLogs(allLogs),
      publisher: { issuers: rotation.signers, lifetimeSeconds: lifetimes.maxSeconds, othersFile: folder.otherCrls },
      clock,
      every,
      log,
    });
    const { revoked } = revocations;
    const peerOf = peerVerifier(rotation.issuers, clock, revoked);
    const refusals = refusalBudget(clock);
    const callers = { trustDomain, verifyToken, peerOf, revoked, limit: options.limit };
    const impersonate = options.nodeProxies && nodeProxies(options.nodeProxies);
    const mayHaveName = dnsNamesBy(options.dnsNames ?? []);
    const authenticate = callAuthentication(callers);
    const access = {
      passphrase: options.key?.passphrase,
      tokenUri: options.key?.store ?? (await keyUriIn(rotation.folder())),
    };
    const store = options.jwtKeys === undefined ? jwtKeyFile(folder.dir, access) : jwtKeyStore(options.jwtKeys, access);
    const commit = issuanceLog.commit.bind(issuanceLog);
    const jwt = await openJwtAuthority({ ...options.jwt, trustDomain, authenticate, commit, store, clock, every, log });
    const stopLooking = every(DAY_SECONDS * 1000, look);
    const open = new Set<ServerTls>();
    let signedServer = rotation.serverRoot();
    rotation.onChange(async () => {
      for (const tls of open) tls.trustChanged();
      await revocations.issuersChanged();
      look();
      if (rotation.serverRoot() === signedServer) return;
      // Before the old root leaves the bundle; nobody who has the new one is left behind.
      for (const tls of open) await tls.renew();
      signedServer = rotation.serverRoot();
    });
    const stopReloading = reloadOnChange({
      folder: rotation.folder,
      trustDomain,
      access: options.key,
      current: root,
      replace: (made) => rotation.replace(made),
      every,
      log,
    });
    let closed: Promise<void> | undefined;
    return {
      trustDomain,
      get rootCertPem() {
        return bundlePem();
      },
      rootCertPath: folder.roots,
      get notAfter() {
        return root().issuer.validity.notAfter;
      },
      rotation,
      peerOf,
      authenticate,
      revocations,
      issuanceLog: { followed: kept.followed, checkpoint: kept.checkpoint, shipping },
      upstream: () => intermediate?.state(),
      jwt,
      issue: issuance({ ...callers, impersonate, mayHaveName, certify, issuanceLog, refusals, clock }),
      async serverCredentials({ dnsNames, ipAddresses = [], ttlSeconds = lifetimes.defaultSeconds }) {
        const names = [...dnsNames, ...ipAddresses];
        const issue = () => issueServerCertificate(certifyServer, names, ttlSeconds, clock);
        const tls = await renewedServerTls({
          issue,
          rootCertPem: bundlePem,
          clock,
          every,
          log,
        });
        open.add(tls);
        return tls;
      },
      ownSvid: (id) => issueOwnSvid(certifyServer, id, lifetimes.defaultSeconds, clock),
      close() {
        closed ??= (async () => {
          stopLooking();
          stopReloading();
          intermediate?.close();
          await revocations.close();
          await jwt.close();
          for (const tls of open) tls.close();
          await issuanceLog.close();
          await rotation.close();
          unlock();
        })();
        return closed;
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

/** What is committed is on another's disk as well, where another follows. */
function shipped(log: OpenIssuanceLog, shipping: Shipping): IssuanceLog {
  return {
    async commit(record) {
      await log.commit(record);
      await shipping.covered(log.followed.bytes());
    },
    note: (record) => log.note(record),
    close: () => log.close(),
  };
}

/** Where the CA's key is, if in a token. */
async function keyUriIn({ keyUri }: Folder): Promise<string | undefined> {
  return existsSync(keyUri) ? readFile(keyUri, 'utf8') : undefined;
}

function lifetimesOf({ maxTtlSeconds = DAY_SECONDS, defaultTtlSeconds = DAY_SECONDS }: AuthorityOptions) {
  if (!(maxTtlSeconds >= 1) || !(defaultTtlSeconds >= 1))
    throw new AuthorityError('certificate lifetimes must be at least one second');
  return { maxSeconds: maxTtlSeconds, defaultSeconds: Math.min(defaultTtlSeconds, maxTtlSeconds) };
}

function warnOfExpiry({ generation, role, signs, notBefore, notAfter }: RootStatus, now: Date, log: Logger): void {
  const left = Date.parse(notAfter) - now.getTime();
  const soon = left < warnedBeforeMs(new Date(notBefore), new Date(notAfter));
  const which = { generation, role, notAfter };
  if (left <= 0 && signs) log.error(which, "the authority's certificate has expired: nothing can be issued");
  else if (left <= 0) log.error(which, 'a root of the trust bundle has expired');
  else if (soon && role === 'old') log.warn(which, 'the old root expires soon; finish its rotation');
  else if (soon) log.warn(which, "the authority's certificate expires soon; plan a new root (gatehouse ca rotate --prepare)");
}
