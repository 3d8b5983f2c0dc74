import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { applicationNames, gatewayContainer, sidecarContainer } from './proxy-container.ts';
import { type Context, interceptionMode, networkOf } from './context.ts';
import { captureContainer, coreDumpContainer } from './init-container.ts';
import type { JsonObject, TextMap } from './json.ts';
import { merged } from './merge.ts';
import { captureOf, cniAnnotations } from './traffic.ts';
import { volumesOf } from './volumes.ts';

/** What a template adds: parts of metadata and spec, to be merged over the pod. */
export type Fragment = JsonObject & { readonly metadata?: JsonObject; readonly spec?: JsonObject };

const LONGEST_LABEL = 63;

/** Names for metrics, as Istio chooses them. */
function canonical({ labels, owner }: Context): TextMap {
  const name = labels['service.istio.io/canonical-name'] ?? labels['app.kubernetes.io/name'] ?? labels['app'] ?? owner.name;
  const revision =
    labels['service.istio.io/canonical-revision'] ?? labels['app.kubernetes.io/version'] ?? labels['version'] ?? 'latest';
  return {
    ...(name === '' ? {} : { 'service.istio.io/canonical-name': name.slice(0, LONGEST_LABEL).replace(/-+$/, '') }),
    'service.istio.io/canonical-revision': revision,
  };
}

/** The network of the pod, for those who look for it at its label. */
function placed(context: Context): TextMap {
  const network = networkOf(context);
  return network === undefined ? {} : { 'topology.istio.io/network': network };
}

/** kubectl's choice of a container: the application's first, not the proxy. */
function defaultContainer(context: Context): TextMap {
  const [first] = applicationNames(context);
  if (first === undefined) return {};
  return Object.fromEntries(
    ['kubectl.kubernetes.io/default-logs-container', 'kubectl.kubernetes.io/default-container']
      .filter((name) => context.annotations[name] === undefined)
      .map((name) => [name, first]),
  );
}

function sidecar(context: Context): Parsed<Fragment> {
  // With REDIRECT instead the application would see another address of its callers than it was promised.
  if (interceptionMode(context) === 'TPROXY') return refused('interceptionMode TPROXY is not supported: use REDIRECT');
  const { settings, labels, native } = context;
  const capture = captureOf(context);
  if (!capture.ok) return capture;
  const proxy = sidecarContainer(context);
  const captured = interceptionMode(context) === 'NONE' ? [] : [captureContainer(context, capture.value)];
  const first = [...captured, ...(settings.coreDump ? [coreDumpContainer(context)] : [])];
  return parsed({
    metadata: {
      labels: {
        'security.istio.io/tlsMode': labels['security.istio.io/tlsMode'] ?? 'istio',
        ...canonical(context),
        ...placed(context),
      },
      annotations: {
        'istio.io/rev': settings.revision,
        ...defaultContainer(context),
        ...(settings.captureBy.kind === 'cni' ? cniAnnotations(context) : {}),
      },
    },
    spec: {
      initContainers: native ? [...first, proxy] : first,
      ...(native ? {} : { containers: [proxy] }),
      volumes: volumesOf(context, 'sidecar'),
      ...pullSecrets(context),
    },
  });
}

function gateway(context: Context): Parsed<Fragment> {
  return parsed({
    metadata: {
      labels: { ...canonical(context), ...placed(context) },
      annotations: { 'istio.io/rev': context.settings.revision, ...defaultContainer(context) },
    },
    spec: {
      // Gateways listen on 80 and 443 without being root.
      securityContext: { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
      containers: [gatewayContainer(context)],
      volumes: volumesOf(context, 'router'),
      ...pullSecrets(context),
    },
  });
}

function pullSecrets({ settings }: Context): JsonObject {
  const { imagePullSecrets } = settings;
  return imagePullSecrets.length === 0 ? {} : { imagePullSecrets: imagePullSecrets.map((name) => ({ name })) };
}

const BUILT_IN: Readonly<Record<string, (context: Context) => Parsed<Fragment>>> = Object.freeze({ sidecar, gateway });

export interface Applied {
  readonly fragment: Fragment;
  /** Whether the traffic of the application is to pass a proxy. */
  readonly templates: readonly string[];
}

/** The templates that the pod names (`inject.istio.io/templates`), else those of the installation, merged in their order. */
export function fragmentOf(context: Context): Parsed<Applied> {
  const { settings, annotations } = context;
  const named = annotations['inject.istio.io/templates']?.split(',').map((one) => one.trim());
  const templates = [...new Set((named ?? settings.defaultTemplates).filter((one) => one !== ''))];
  let fragment: Fragment = {};
  for (const name of templates) {
    const custom = settings.customTemplates.get(name);
    const found = custom !== undefined ? parsed(custom) : Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name]?.(context) : undefined;
    if (found === undefined) {
      const known = [...Object.keys(BUILT_IN), ...settings.customTemplates.keys()].join(', ');
      return refused(`annotation inject.istio.io/templates names ${JSON.stringify(name)}, which is not known (known: ${known})`);
    }
    if (!found.ok) return found;
    fragment = merged(fragment, found.value);
  }
  return parsed({ fragment, templates });
}
