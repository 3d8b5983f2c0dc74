import { commonLabels, PORTS, instanceName, type Labels } from './names.ts';
import type { KubernetesObject } from './object.ts';
import type { InstallOptions } from './options.ts';

/** As pods name it in their volumes, and as `gatehouse node-agent` answers by default. */
export const DRIVER = 'csi.gatehouse.dev';

const NAME = 'gatehouse-node';
/** The audience that the authority asks of a pod's token. */
const AUDIENCE = 'istio-ca';
const KUBELET = '/var/lib/kubelet';
/** In memory on the node; mounts into pods are of this folder, so it must be the node's own and outlive the agent. */
const RUN_DIR = '/run/gatehouse';
const METRICS = 15020;
const ROOTS = '/etc/gatehouse';

/**
 * The node agent: a pod on each node that answers the kubelet as a CSI driver. It lives in a namespace of its own, since mounts in pods need a
 * privileged container, and the control plane's namespace takes none. It has no right to anything in the API: the kubelet brings the tokens of
 * pods, and the control plane judges them.
 */
export function nodeAgentObjects(options: InstallOptions): readonly KubernetesObject[] {
  const namespace = nodeNamespace(options);
  const labels = { ...commonLabels(options), app: NAME, 'app.kubernetes.io/name': NAME };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { 'pod-security.kubernetes.io/enforce': 'privileged', 'istio-injection': 'disabled' },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: NAME, namespace, labels },
      automountServiceAccountToken: false,
    },
    csiDriver(labels),
    {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: NAME, namespace, labels },
      spec: {
        selector: { matchLabels: { app: NAME } },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } },
        template: {
          metadata: {
            labels: { ...labels, 'sidecar.istio.io/inject': 'false' },
            annotations: {
              'prometheus.io/scrape': 'true',
              'prometheus.io/port': String(METRICS),
              'prometheus.io/path': '/metrics',
            },
          },
          spec: podSpec(options),
        },
      },
    },
  ];
}

function nodeNamespace({ namespace }: Pick<InstallOptions, 'namespace'>): string {
  return `${namespace}-node`;
}

function csiDriver(labels: Labels): KubernetesObject {
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIDriver',
    // The label is OpenShift's: such a volume is nothing that a restricted pod must not have.
    metadata: { name: DRIVER, labels: { ...labels, 'security.openshift.io/csi-ephemeral-volume-profile': 'restricted' } },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      fsGroupPolicy: 'None',
      requiresRepublish: true,
      tokenRequests: [{ audience: AUDIENCE, expirationSeconds: 3600 }],
      volumeLifecycleModes: ['Ephemeral'],
    },
  };
}

function podSpec(options: InstallOptions): unknown {
  const folder = (name: string, path: string, type: string): unknown => ({ name, hostPath: { path, type } });
  const metrics = { httpGet: { path: '/metrics', port: 'http-metrics' }, periodSeconds: 10, timeoutSeconds: 5 };
  return {
    serviceAccountName: NAME,
    automountServiceAccountToken: false,
    priorityClassName: 'system-node-critical',
    // Pods that need it may be anywhere.
    tolerations: [{ operator: 'Exists' }],
    terminationGracePeriodSeconds: 15,
    containers: [
      {
        name: 'node-agent',
        image: options.image,
        imagePullPolicy: 'IfNotPresent',
        args: [
          'node-agent',
          `--control-plane=${instanceName(options)}.${options.namespace}.svc:${PORTS.grpc}`,
          `--root-cert=${ROOTS}/root-cert.pem`,
          `--trust-domain=${options.trustDomain}`,
          `--driver=${DRIVER}`,
          `--token-audience=${AUDIENCE}`,
          `--kubelet-dir=${KUBELET}`,
          `--run-dir=${RUN_DIR}`,
          `--metrics-address=0.0.0.0:${METRICS}`,
        ],
        env: [{ name: 'NODE_NAME', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } }],
        ports: [{ name: 'http-metrics', containerPort: METRICS, protocol: 'TCP' }],
        resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '512Mi' } },
        // Without it Kubernetes passes no mounts on to the node.
        securityContext: { privileged: true, readOnlyRootFilesystem: true, runAsUser: 0, runAsNonRoot: false },
        livenessProbe: { ...metrics, failureThreshold: 6, initialDelaySeconds: 10 },
        volumeMounts: [
          { name: 'pods', mountPath: `${KUBELET}/pods`, mountPropagation: 'Bidirectional' },
          { name: 'plugin', mountPath: `${KUBELET}/plugins/${DRIVER}` },
          { name: 'registration', mountPath: `${KUBELET}/plugins_registry` },
          { name: 'run', mountPath: RUN_DIR },
          { name: 'roots', mountPath: ROOTS, readOnly: true },
          { name: 'tmp', mountPath: '/tmp' },
        ],
      },
    ],
    volumes: [
      folder('pods', `${KUBELET}/pods`, 'Directory'),
      folder('plugin', `${KUBELET}/plugins/${DRIVER}`, 'DirectoryOrCreate'),
      folder('registration', `${KUBELET}/plugins_registry`, 'Directory'),
      folder('run', RUN_DIR, 'DirectoryOrCreate'),
      { name: 'roots', configMap: { name: 'gatehouse-ca-root-cert' } },
      { name: 'tmp', emptyDir: {} },
    ],
  };
}
