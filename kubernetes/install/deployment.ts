import { clusterName, commonLabels, instanceName, PORTS, selectorLabels } from './names.ts';
import type { KubernetesObject } from './object.ts';
import type { InstallOptions } from './options.ts';
import { recordsPart } from './records.ts';

/** Where the container finds MeshConfig, and where it may write: all else of its file system is read-only. */
const CONFIG_DIR = '/etc/gatehouse';
const STATE_DIR = '/var/lib/gatehouse';
/** `nonroot` of the image. */
const USER = 65532;

export function deployment(options: InstallOptions): KubernetesObject {
  const name = instanceName(options);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: options.namespace, labels: commonLabels(options) },
    spec: {
      replicas: options.replicas,
      selector: { matchLabels: selectorLabels(options) },
      // One more before one less: proxies reconnect to a replica that is ready.
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: {
          labels: { ...commonLabels(options), 'sidecar.istio.io/inject': 'false' },
          annotations: {
            'prometheus.io/scrape': 'true',
            'prometheus.io/port': String(PORTS.status),
            'prometheus.io/path': '/metrics',
          },
        },
        spec: {
          serviceAccountName: name,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: USER,
            runAsGroup: USER,
            fsGroup: USER,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          terminationGracePeriodSeconds: 30,
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selectorLabels(options) },
            },
          ],
          containers: [container(options)],
          volumes: [
            { name: 'mesh-config', configMap: { name } },
            { name: 'state', emptyDir: {} },
            { name: 'tmp', emptyDir: {} },
            ...recordsPart(options, STATE_DIR).volumes,
          ],
        },
      },
    },
  };
}

function container(options: InstallOptions): unknown {
  const records = recordsPart(options, STATE_DIR);
  return {
    name: 'control-plane',
    image: options.image,
    imagePullPolicy: 'IfNotPresent',
    args: [
      'serve',
      '--kubernetes',
      `--revision=${options.revision}`,
      `--cluster-role=${clusterName(options)}`,
      `--mesh-config=${CONFIG_DIR}/mesh.yaml`,
      `--proxy-image=${options.proxyImage}`,
      `--grpc-address=0.0.0.0:${PORTS.grpc}`,
      `--http-address=0.0.0.0:${PORTS.status}`,
      `--webhook-address=0.0.0.0:${PORTS.webhooks}`,
      `--ca-dir=${STATE_DIR}/ca`,
      ...records.args,
      `--rollouts=${options.rollouts}`,
      `--advertise=${instanceName(options)}.${options.namespace}.svc`,
    ],
    env: [
      { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'POD_NAMESPACE', valueFrom: { fieldRef: { fieldPath: 'metadata.namespace' } } },
    ],
    ports: [
      { name: 'grpc-xds', containerPort: PORTS.grpc, protocol: 'TCP' },
      { name: 'https-webhook', containerPort: PORTS.webhooks, protocol: 'TCP' },
      { name: 'http-status', containerPort: PORTS.status, protocol: 'TCP' },
      ...(options.page === undefined ? [] : [{ name: 'https-page', containerPort: PORTS.page, protocol: 'TCP' }]),
    ],
    resources: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '2Gi' } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
    },
    startupProbe: { httpGet: { path: '/readyz', port: 'http-status' }, periodSeconds: 2, failureThreshold: 150 },
    readinessProbe: { httpGet: { path: '/readyz', port: 'http-status' }, periodSeconds: 3, timeoutSeconds: 5 },
    // Busy is not dead: a first configuration of a large mesh may hold up an answer.
    livenessProbe: {
      httpGet: { path: '/healthz', port: 'http-status' },
      periodSeconds: 10,
      timeoutSeconds: 10,
      failureThreshold: 6,
    },
    volumeMounts: [
      { name: 'mesh-config', mountPath: CONFIG_DIR, readOnly: true },
      { name: 'state', mountPath: STATE_DIR },
      { name: 'tmp', mountPath: '/tmp' },
      ...records.mounts,
    ],
  };
}
