import { join } from 'node:path';
import type { Logger } from 'pino';
import { addAccessLogService } from '../../audit/intake/access-log-service.ts';
import { CallRecorder } from '../../audit/intake/calls.ts';
import { Recorder } from '../../audit/intake/recorder.ts';
import { addRelayService } from '../../audit/intake/relay-service.ts';
import { observed, type Observer } from '../../audit/intake/sink.ts';
import { CallMetrics } from '../../audit/metrics/call-metrics.ts';
import { storeQuestions } from '../../audit/store/open.ts';
import { openAuthority } from '../../ca/authority.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { addJwtService } from '../../ca/jwt-svid/service.ts';
import { grpcListener } from '../../ca/service/http2/listener.ts';
import { addCertificateService } from '../../ca/service/service.ts';
import { systemEvery } from '../../ca/tls/credentials.ts';
import { systemAfter } from '../../ca/federation/following.ts';
import type { Diagnostic } from '../../mesh/model/diagnostic.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';
import { snapshotResources, type SnapshotResources } from '../../xds/resources/source.ts';
import { AutomaticScopes } from '../../xds/scope/scopes.ts';
import { addNamesService } from '../../xds/names/service.ts';
import { serverOptions } from '../../xds/stream/server-options.ts';
import { addDiscoveryService, type DiscoveryService } from '../../xds/stream/service.ts';
import type { KeyKeeper } from '../../policy/jwks/keeper.ts';
import { wantedKeys } from '../../policy/jwks/wanted.ts';
import type { ListenAddress } from '../options/address.ts';
import { auditStore } from './audit-store.ts';
import { subjectOf } from './audit-subject.ts';
import { behind, followersHere, rotationRoutes } from './admin-rotation.ts';
import { startAdminSocket } from './admin-socket.ts';
import { revocationRoutes } from './admin-revocation.ts';
import { addressLimit, callersOf } from './callers.ts';
import { clusterAuthority, withoutSteps } from './cluster-authority.ts';
import { openCluster } from './cluster-options.ts';
import { type ClusterReplicas, clusterReplicas } from './cluster-replicas.ts';
import { writeClusterStatus } from './cluster-status.ts';
import { isServiceHost, snapshotDirectory, snapshotNames } from './directory.ts';
import { type RunningFederation, startFederation } from './federation.ts';
import { enforceRevocations, withCrls } from './enforce-revocations.ts';
import { alertMetrics } from './alerts/metrics.ts';
import { sharedClaims } from './alerts/claims.ts';
import { startAlerts } from './alerts/start.ts';
import { drain } from './drain.ts';
import { grpcServer, listen } from './grpc-server.ts';
import { listenHttp } from './http-listen.ts';
import { heldForKeys } from './jwks/hold.ts';
import { tokenKeys } from './jwks/keys.ts';
import { Registry } from 'prom-client';
import { inspectorCapture } from './capture.ts';
import { discoveryMetrics } from './discovery-metrics.ts';
import { discoveryTokens } from './discovery-tokens.ts';
import { PublishedSnapshots } from './published-snapshots.ts';
import { snapshotMetricSettings } from './metric-settings.ts';
import { controlPlaneMetrics } from './metrics.ts';
import type { ServeOptions } from './options.ts';
import { startPage } from './page-server.ts';
import { pageSessions } from './page-session-keys.ts';
import { startPlaintextXds } from './plaintext-xds.ts';
import { rolloutsOfCluster } from './rollout/cluster.ts';
import { policyWarnings } from './policy-warning-metrics.ts';
import { rolloutMetrics } from './rollout/metrics.ts';
import { storeName, stuckStore } from './rollout/records-elsewhere.ts';
import { NOT_KNOWN_YET } from './rollout/replica-proxies.ts';
import { rolloutRoutes } from './rollout/routes.ts';
import { startRollouts } from './rollout/start.ts';
import { replicaAddress, replicaLogs } from './replica-logs.ts';
import { closeStaleConnections, staleBy } from './stale-connections.ts';
import { statusServer } from './status-server.ts';
import { watchedMesh } from './watched-mesh.ts';

export interface ControlPlane {
  readonly grpc: readonly ListenAddress[];
  readonly http: ListenAddress;
  readonly page: ListenAddress | undefined;
  /** Where xDS is served without TLS. */
  readonly plaintextXds: ListenAddress | undefined;
  /** Where our trust bundle is published. */
  readonly bundleEndpoint: ListenAddress | undefined;
  /** Where the API server of a cluster asks about pods and configuration. */
  readonly webhooks: ListenAddress | undefined;
  readonly rootCertPath: string;
  readonly snapshot: number;
  close(): Promise<void>;
}

/** Names under which a proxy may know the control plane; istiod's are there so that its clients need no change. */
const DNS_NAMES = Object.freeze(['gatehouse', 'gatehouse.istio-system.svc', 'istiod.istio-system.svc', 'localhost']);

/**
 * Everything that `gatehouse serve` is: the mesh's snapshot, the authority, and one gRPC server with certificates, xDS and
 * access logs. Owns all of it; `close` ends it in the order in which nothing is lost.
 * @throws Error when it cannot start, with what to do about it
 */
export async function startControlPlane(
  options: ServeOptions,
  log: Logger,
  onDiagnostics: (found: readonly Diagnostic[]) => void,
): Promise<ControlPlane> {
  const clock = (): Date => new Date();
  let resources: SnapshotResources | undefined;
  let federation: RunningFederation | undefined;
  let keys: KeyKeeper | undefined;
  let streams: DiscoveryService | undefined;
  let hold: ((snapshot: Snapshot) => void) | undefined;
  const cluster = options.cluster === undefined ? undefined : await openCluster(options.cluster);
  const mesh = await watchedMesh({ ...options, cluster }, log, {
    onSnapshot: (snapshot) => hold?.(snapshot),
    onDiagnostics,
  });
  const { trustDomain } = mesh.current().meshConfig;
  const shared =
    cluster &&
    (await clusterAuthority(cluster, {
      dir: options.caDir,
      trustDomain,
      key: options.caKey,
      hasUpstream: options.upstream !== undefined,
      clock,
      log,
    }));
  const replicated = cluster !== undefined;
  const authority = await openAuthority({
    ...shared?.authority,
    replicated,
    dir: options.caDir,
    key: options.caKey,
    trustDomain,
    clock,
    log,
    maxTtlSeconds: options.certificateTtlSeconds,
    upstream: options.upstream,
    ...callersOf(options.callers, () => mesh.current(), shared?.authority.reviewToken),
  });
  const { revocations } = authority;
  const rotation =
    cluster !== undefined && options.upstream !== undefined ? withoutSteps(authority.rotation) : authority.rotation;
  shared?.start(authority);
  federation = await startFederation(options.federation, {
    authority,
    caDir: options.caDir,
    meshConfig: () => mesh.current().meshConfig,
    resources: () => resources,
    clock,
    log,
  });
  // Milliseconds since the epoch, so that generations grow over restarts without being kept.
  const trusted = () => ({ rootsPem: rotation.rootsPem(), intermediatesPem: rotation.intermediatesPem() });
  const first = { generation: clock().getTime(), ...trusted(), federation: federation.current() };
  const bundle = withCrls(first, revocations);
  const issuers = (keys = await tokenKeys({
    dir: options.caDir,
    refreshMs: options.requestJwksRefreshMs,
    clock,
    log,
    current: () => mesh.current(),
    onChange: () => {
      if (keys !== undefined) resources?.publishKeys(keys.known());
    },
  }));
  // Of a snapshot that came while the first keys were waited for.
  issuers.follow(wantedKeys(mesh.current()));
  const stored = auditStore(options, clock, log);
  const recorder = new Recorder({
    open: stored.edges,
    log,
    clock,
    flushMs: 250,
  });
  const callMetrics = new CallMetrics({
    names: snapshotNames(() => mesh.current()),
    settings: snapshotMetricSettings(() => mesh.current()),
    clock,
    limit: options.metricSeries,
    staleMs: options.metricStaleMs,
  });
  const calls = new CallRecorder({
    open: stored.calls,
    refreshMs: stored.refreshMs,
    isService: (host) => isServiceHost(mesh.current(), host),
    windowMs: options.scopeWindowMs,
    clock,
    log,
  });
  await calls.loaded;
  // Who hears of each record, beside the store.
  const alerts =
    options.alerts === undefined
      ? undefined
      : startAlerts(options.alerts, {
          file: join(options.caDir, 'alerts.db'),
          snapshot: () => mesh.current(),
          clock,
          log,
          ...(stored.told !== undefined && { claims: sharedClaims({ open: stored.told, clock, log }) }),
        });
  const [store, stuck] = [storeName(options.auditStore), stuckStore(() => recorder.stats, clock)];
  const published = new PublishedSnapshots();
  published.record(mesh.current(), clock(), undefined);
  let replicas: ClusterReplicas | undefined;
  const clustered =
    cluster &&
    (await rolloutsOfCluster(cluster, {
      snapshot: () => mesh.current(),
      auditStore: options.auditStore,
      revision: options.webhooks?.revision ?? '',
      vouched: options.webhooks !== undefined,
      elsewhere: (namespace) => (replicas === undefined ? NOT_KNOWN_YET : replicas.elsewhere(namespace)),
      recordsElsewhere: () => replicas?.recordsElsewhere(),
      clock,
      log,
    }));
  const rollouts = startRollouts({
    caDir: options.caDir,
    paths: options.ownPaths,
    auditStore: options.auditStore,
    snapshot: () => mesh.current(),
    streams: () => streams?.streams().filter(({ kind }) => kind === 'proxy') ?? [],
    published,
    recorder: () => recorder.stats,
    revoked: () => revocations.peers().identities,
    cluster: clustered?.surroundings,
    onTransition: (namespace, { cause, number, from, to, reason, objects }) => {
      if (cause === 'rollback-automatic') alerts?.rolledBack({ namespace, number, from, to, reason, objects });
    },
    clock,
    log,
  });
  const observers: readonly Observer[] = [calls, callMetrics, rollouts, ...(alerts === undefined ? [] : [alerts])];
  const scopes = new AutomaticScopes({ everywhere: options.automaticScope, observed: calls, clock });
  const source = (resources = snapshotResources(mesh.current(), bundle, revocations.peers(), issuers.known(), scopes));
  hold = heldForKeys(
    issuers,
    (snapshot) => {
      published.record(snapshot, clock(), streams?.oldestAccepted());
      source.publishKeys(issuers.known());
      source.publish(snapshot);
      federation?.publish();
      rollouts.changed(snapshot);
      log.info({ snapshot: snapshot.number }, 'new snapshot');
    },
    systemAfter,
  );
  rotation.onChange(() => {
    const { bundle: before } = source.bundle();
    source.publishBundle(withCrls({ ...before, generation: before.generation + 1, ...trusted() }, revocations));
    return Promise.resolve();
  });

  const server = grpcServer();
  closeStaleConnections(server, authority.peerOf);
  const certificateCalls = addCertificateService(server, { authority, log, limit: addressLimit(options.callers) });
  addJwtService(server, { authority, log, federated: federation.jwtKeySets });
  const registry = new Registry();
  const xdsMetrics = discoveryMetrics(registry);
  const discovery = (streams = addDiscoveryService(server, {
    source,
    authenticate: authority.peerOf,
    byToken: discoveryTokens(authority),
    log,
    clock,
    observer: xdsMetrics.observer,
  }));
  const directory = { ...snapshotDirectory(() => mesh.current()), ...subjectOf(options.auditSubject) };
  const accessLogs = addAccessLogService(server, {
    authenticate: authority.peerOf,
    directory,
    sink: observed(observers, recorder),
    log,
    clock,
  });
  const relays = addRelayService(server, {
    authenticate: authority.peerOf,
    directory,
    ledger: recorder,
    observers,
    log,
    clock,
  });
  const names = addNamesService(server, {
    authenticate: authority.peerOf,
    snapshot: () => mesh.current(),
    onChange: (listener) => source.onChange(listener),
    log,
  });
  enforceRevocations(revocations, source, [discovery, accessLogs, relays, names]);
  const tls = await authority.serverCredentials({
    dnsNames: [...DNS_NAMES, ...options.advertise],
    ipAddresses: [...new Set(['127.0.0.1', ...options.grpc.map(({ host }) => host).filter((host) => host !== '0.0.0.0')])],
  });
  const logs = replicated ? replicaLogs(server, authority, options.caDir, clock, log) : undefined;
  const listener = grpcListener({
    tls,
    server,
    calls: certificateCalls,
    concurrentStreams: serverOptions['grpc.max_concurrent_streams'],
    isStale: staleBy(authority.peerOf),
    every: systemEvery,
  });
  const grpc = await listen(({ host, port }) => listener.listen(host, port), options.grpc);
  const plaintext =
    options.plaintextXds === undefined ? undefined : await startPlaintextXds(options.plaintextXds, discovery, log);

  const sources = {
    snapshot: () => mesh.current(),
    streams: () => discovery.streams().filter(({ kind }) => kind === 'proxy'),
    recorder: () => recorder.stats,
    calls: () => callMetrics.stats,
    serverCertificateNotAfter: () => tls.current().notAfter,
    upstream: () => authority.upstream(),
    rotation: () => rotation.status(),
    federation: () => federation?.status() ?? [],
    tokenKeys: () => issuers.status(),
    shipping: replicated ? authority.issuanceLog.shipping : undefined,
    bundleBehind: () => behind(discovery.streams(), source.bundle()).length,
  };
  xdsMetrics.follow({ ...sources, publishedAt: () => published.publishedAt });
  controlPlaneMetrics(registry, sources);
  if (alerts !== undefined) alertMetrics(registry, alerts);
  rolloutMetrics(registry, rollouts);
  const status = statusServer({
    ...sources,
    holdings: (namespace, pod, types) => discovery.holdings(namespace, pod, types),
    explainScope: (claim) => source.explainScope(claim),
    published,
    metrics: registry,
    callMetrics: () => callMetrics.exposition(),
    capture: options.allowCaptures ? inspectorCapture(options.caDir, clock) : undefined,
  });
  const http = await listenHttp(status, options.http, '--http-address');
  const page =
    options.page === undefined
      ? undefined
      : await startPage(options.page, {
          auditStore: options.auditStore,
          issuanceLog: folderAt(options.caDir).issuanceLog,
          authority,
          log,
          snapshot: sources.snapshot,
          streams: sources.streams,
          published,
          rollouts,
          ...(cluster === undefined ? {} : { sessions: () => pageSessions(cluster) }),
          clock,
        });

  const webhooks =
    options.webhooks === undefined || cluster === undefined
      ? undefined
      : await (
          await import('./webhooks.ts')
        ).startWebhooks(options.webhooks, {
          cluster,
          authority,
          meshConfig: () => mesh.current().meshConfig,
          meshConfigFile: options.meshConfigFile,
          advertise: options.advertise,
          policyWarnings: policyWarnings(registry, {
            snapshot: () => mesh.current(),
            store: storeQuestions(options.auditStore),
            clock,
          }),
          log,
        });

  const isLeader = (): boolean => shared?.isLeader() === true;
  replicas =
    cluster &&
    logs &&
    (await clusterReplicas(cluster, {
      mesh,
      streams: () => discovery.streams(),
      bundle: () => source.bundle(),
      published,
      rotation,
      revision: options.webhooks?.revision ?? '',
      records: () => ({ store, stuck: stuck() }),
      address: replicaAddress(grpc[0]),
      logs,
      isLeader,
      clock,
      log,
    }));
  if (replicas !== undefined) {
    logs?.gather(() => replicas.addresses());
    await logs?.caughtUp();
  }
  const statusWriter =
    cluster && (await writeClusterStatus(cluster, { mesh, pending: () => replicas?.pending(), isLeader, clock, log }));

  clustered?.start(rollouts);

  // What commands may order; each part adds its routes here.
  const admin = await startAdminSocket(
    options.caDir,
    [
      revocationRoutes(revocations),
      rolloutRoutes(rollouts),
      rotationRoutes({
        rotation,
        followers: () =>
          replicas?.followers() ?? Promise.resolve(followersHere(discovery.streams(), source.bundle(), mesh.current())),
      }),
    ],
    log,
  );

  return {
    grpc,
    http,
    page: page?.address,
    plaintextXds: plaintext?.address,
    bundleEndpoint: federation.endpoint,
    webhooks: webhooks?.address,
    rootCertPath: authority.rootCertPath,
    snapshot: mesh.current().number,
    close: async () => {
      await webhooks?.close();
      statusWriter?.close();
      await clustered?.close();
      await rollouts.close();
      mesh.close();
      await shared?.close();
      issuers.close();
      await federation.close();
      await admin.close();
      await page?.close();
      await status.close();
      await discovery.close();
      names.close();
      plaintext?.close();
      await drain(listener, server);
      // No proxy is here any more.
      await logs?.close();
      await replicas?.close();
      cluster?.client.close();
      tls.close();
      await authority.close();
      await calls.close();
      await recorder.close();
      alerts?.close();
    },
  };
}
