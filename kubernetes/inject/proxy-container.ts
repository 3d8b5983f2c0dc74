import { annotated, applicationContainers, type Context, proxyImage, resourcesOf, statusPort } from './context.ts';
import { parseNamedObjects } from './annotations.ts';
import { proxyEnvironment } from './environment.ts';
import { defined, type JsonObject } from './json.ts';
import { PROXY } from './pod.ts';

/** Where the agent answers the kubelet, and where Envoy's own metrics are. */
const READY_PORT = 15021;
const METRICS_PORT = { containerPort: 15090, name: 'http-envoy-prom', protocol: 'TCP' };

function agentArguments(context: Context, kind: 'sidecar' | 'router'): readonly string[] {
  const { settings, proxyConfig } = context;
  const { concurrency } = proxyConfig;
  return [
    'agent',
    `--pod=${kind}`,
    `--domain=${settings.clusterDomain}`,
    `--proxy-log-level=${annotated(context, 'sidecar.istio.io/logLevel', settings.proxyLogLevel)}`,
    `--proxy-component-log-level=${annotated(context, 'sidecar.istio.io/componentLogLevel', settings.componentLogLevel)}`,
    `--log-level=${annotated(context, 'sidecar.istio.io/agentLogLevel', settings.agentLogLevel)}`,
    `--status-port=${statusPort(context)}`,
    ...(typeof concurrency === 'number' ? [`--concurrency=${concurrency}`] : []),
  ];
}

/** Applications wait for a proxy that is held back for; a native sidecar ends after them, so that it may tell its clients before. */
function lifecycleOf(context: Context): JsonObject | undefined {
  const { settings, native, hold } = context;
  const ask = (word: string): JsonObject => ({
    exec: { command: ['gatehouse', 'proxy', word, `--status-port=${statusPort(context)}`] },
  });
  if (settings.lifecycle !== undefined) return settings.lifecycle;
  if (native) return { preStop: ask('drain') };
  return hold ? { postStart: ask('wait') } : undefined;
}

function probesOf(context: Context): JsonObject {
  if (statusPort(context) === '0') return {};
  const { readiness, startup } = context.settings;
  const number = (name: string, fallback: number): number =>
    Number(annotated(context, `readiness.status.sidecar.istio.io/${name}`, String(fallback)));
  const httpGet = { path: '/healthz/ready', port: READY_PORT };
  const delay = number('initialDelaySeconds', readiness.initialDelaySeconds);
  return {
    ...(startup === undefined
      ? {}
      : { startupProbe: { httpGet, failureThreshold: startup.failureThreshold, periodSeconds: 1, timeoutSeconds: 3 } }),
    readinessProbe: {
      httpGet,
      ...(delay === 0 ? {} : { initialDelaySeconds: delay }),
      periodSeconds: number('periodSeconds', readiness.periodSeconds),
      failureThreshold: number('failureThreshold', readiness.failureThreshold),
      timeoutSeconds: 3,
    },
  };
}

/** Rights of the sidecar: none, but what the pod asks for. */
function securityOf({ settings, proxyUser, annotations }: Context): JsonObject {
  const bind = annotations['sidecar.istio.io/capNetBindService'] === 'true';
  const add = bind ? ['NET_BIND_SERVICE'] : [];
  return defined({
    allowPrivilegeEscalation: settings.privileged,
    privileged: settings.privileged,
    capabilities: { ...(add.length === 0 ? {} : { add }), drop: ['ALL'] },
    readOnlyRootFilesystem: !settings.coreDump,
    runAsGroup: proxyUser,
    runAsNonRoot: add.length === 0,
    runAsUser: add.length === 0 ? proxyUser : 0,
    seccompProfile: settings.seccompProfile,
  });
}

function mountsOf(context: Context, kind: 'sidecar' | 'router'): readonly JsonObject[] {
  const { annotations, settings } = context;
  const own = parseNamedObjects(annotations['sidecar.istio.io/userVolumeMount'] ?? '{}');
  return [
    { name: 'workload-socket', mountPath: '/var/run/secrets/workload-spiffe-uds' },
    { name: 'credential-socket', mountPath: '/var/run/secrets/credential-uds' },
    { name: 'workload-certs', mountPath: '/var/run/secrets/workload-spiffe-credentials' },
    { name: 'istiod-ca-cert', mountPath: '/var/run/secrets/istio' },
    ...(kind === 'sidecar' ? [{ name: 'istio-ca-crl', mountPath: '/var/run/secrets/istio/crl' }] : []),
    { name: 'istio-data', mountPath: '/var/lib/istio/data' },
    ...(annotations['sidecar.istio.io/bootstrapOverride'] === undefined
      ? []
      : [{ name: 'custom-bootstrap-volume', mountPath: '/etc/istio/custom-bootstrap' }]),
    { name: 'istio-envoy', mountPath: '/etc/istio/proxy' },
    { name: 'istio-token', mountPath: '/var/run/secrets/tokens' },
    ...(settings.mountCertificates ? [{ name: 'istio-certs', mountPath: '/etc/certs/', readOnly: true }] : []),
    { name: 'istio-podinfo', mountPath: '/etc/istio/pod' },
    ...(own.ok ? Object.entries(own.value).map(([name, value]) => ({ name, ...value })) : []),
  ];
}

/** The sidecar: agent and Envoy. Native sidecars are init containers that go on running. */
export function sidecarContainer(context: Context): JsonObject {
  const { settings, native } = context;
  return defined({
    name: PROXY,
    image: proxyImage(context),
    imagePullPolicy: settings.imagePullPolicy,
    ports: [METRICS_PORT],
    args: agentArguments(context, 'sidecar'),
    lifecycle: lifecycleOf(context),
    env: proxyEnvironment(context),
    ...probesOf(context),
    restartPolicy: native ? 'Always' : undefined,
    securityContext: securityOf(context),
    resources: resourcesOf(context),
    volumeMounts: mountsOf(context, 'sidecar'),
  });
}

/** The proxy of a gateway: what its own Deployment says of it comes over this. */
export function gatewayContainer(context: Context): JsonObject {
  const { settings, proxyUser } = context;
  const { startupProbe: _none, ...probes } = probesOf(context);
  return defined({
    name: PROXY,
    image: proxyImage(context),
    imagePullPolicy: settings.imagePullPolicy,
    ports: [METRICS_PORT],
    args: agentArguments(context, 'router'),
    env: proxyEnvironment(context),
    ...probes,
    securityContext: { runAsGroup: proxyUser, runAsUser: proxyUser },
    resources: {},
    volumeMounts: mountsOf(context, 'router'),
  });
}

/** Names of the containers that are not the proxy's. */
export function applicationNames(context: Context): readonly string[] {
  return applicationContainers(context).map(({ name }) => name);
}
