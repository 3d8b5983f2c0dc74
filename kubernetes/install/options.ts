import { type Parsed } from '../../ca/identity/parsed.ts';

/** What an installation is asked to be. Every field has a value: the defaults are in DEFAULTS, which `--help` and docs/kubernetes.md repeat. */
export interface InstallOptions {
  /** Where the control plane runs. */
  readonly namespace: string;
  /** Which of several control planes side by side (canary upgrade); `default` is the one that `istio-injection=enabled` means. */
  readonly revision: string;
  readonly image: string;
  /** The proxy's image, for containers that are injected. */
  readonly proxyImage: string;
  readonly replicas: number;
  readonly trustDomain: string;
  /** Mesh-wide policies live here; Istio's users have them in istio-system. */
  readonly rootNamespace: string;
  /** Namespaces whose Secrets the control plane may read: those with Gateways that end TLS. None by default. */
  readonly gatewayNamespaces: readonly string[];
  /** Gateways to install, as NAMESPACE/NAME. */
  readonly gateways: readonly GatewayName[];
  readonly networkPolicy: boolean;
  /** The CSI driver on each node, in the namespace NAMESPACE-node. One serves all revisions. */
  readonly nodeAgent: boolean;
  readonly crds: CrdChoice;
  readonly rollouts: RolloutChoice;
  readonly audit: AuditChoice;
  /** A Secret with `alerts.yaml`, and the files that it names beside it. */
  readonly alertsSecret: string | undefined;
  /** Undefined: no page. */
  readonly page: PageChoice | undefined;
}

/** Absent: the defaults of `gatehouse serve`, with a file on the volume of each pod. */
export interface AuditChoice {
  /** `postgres://USER@HOST/DATABASE`. */
  readonly database?: string;
  /** A Secret with `password`; what else is in it is at /run/secrets/gatehouse/audit, for `sslrootcert`. */
  readonly secret?: string;
  readonly minutes?: string;
  readonly hours?: string;
  readonly retention?: string;
}

/** Who may see the page: by tokens, by a provider, or both. */
export interface PageChoice {
  readonly url?: string;
  /** A Secret with `tokens.yaml`. */
  readonly tokensSecret?: string;
  /** A Secret with `keys`, of sessions; absent: the control plane makes and renews them by itself. */
  readonly sessionsSecret?: string;
  /** `secret`: one with `client-secret`, of a confidential client. */
  readonly oidc?: { readonly issuer: string; readonly clientId: string; readonly secret?: string };
}

export interface GatewayName {
  readonly namespace: string;
  readonly name: string;
}

/** `all`: Istio's and ours; `own`: ours alone (Istio's are there already); `none`. */
export type CrdChoice = 'all' | 'own' | 'none';

/**
 * Whether the control plane may write the policies of a NamespaceRollout's stages. `propose`: it has no right to, and says what to commit: whoever takes it over
 * could open no namespace to anybody.
 */
export type RolloutChoice = 'enabled' | 'propose';

export const DEFAULT_REVISION = 'default';

export const DEFAULTS: InstallOptions = Object.freeze({
  namespace: 'gatehouse-system',
  revision: DEFAULT_REVISION,
  image: 'gatehouse/control-plane:0.1.0',
  proxyImage: 'gatehouse/proxy:0.1.0',
  replicas: 2,
  trustDomain: 'cluster.local',
  rootNamespace: 'istio-system',
  gatewayNamespaces: [],
  gateways: [],
  networkPolicy: true,
  nodeAgent: false,
  crds: 'all',
  rollouts: 'propose',
  audit: {},
  alertsSecret: undefined,
  page: undefined,
});

/** RFC 1123 label, as Kubernetes wants namespaces, and what goes into names and labels. */
const LABEL = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
/** A reference to an image: no spaces, no quotes; the registry decides about the rest. */
const IMAGE = /^[a-z0-9][\w./:@-]{0,254}$/i;
/** A revision is part of names of at most 63 characters (`gatehouse-REVISION-validator`). */
const LONGEST_REVISION = 40;
const MOST_REPLICAS = 50;
/** RFC 1123 subdomain, as Kubernetes wants names of Secrets. */
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;
const HOURS = /^\d{1,6}h$/;

/** What of the database, alerts and page the control plane would not start with; undefined: nothing. */
function recordsFault({ audit, alertsSecret, page }: InstallOptions): string | undefined {
  for (const [flag, name] of [
    ['--audit-db-secret', audit.secret],
    ['--alerts-secret', alertsSecret],
    ['--page-tokens-secret', page?.tokensSecret],
    ['--page-sessions-secret', page?.sessionsSecret],
    ['--page-oidc-secret', page?.oidc?.secret],
  ] as const)
    if (name !== undefined && !SUBDOMAIN.test(name)) return `${flag}: ${JSON.stringify(name)} is not the name of a Secret`;
  for (const [flag, text] of [
    ['--audit-minutes', audit.minutes],
    ['--audit-hours', audit.hours],
    ['--audit-retention', audit.retention],
  ] as const)
    if (text !== undefined && !HOURS.test(text)) return `${flag}: ${JSON.stringify(text)} is not a number of hours, such as 720h`;
  if (audit.database !== undefined && !/^postgres(?:ql)?:\/\/\S+$/.test(audit.database))
    return '--audit-db: not postgres://USER@HOST/DATABASE (without it each replica has a file)';
  if (audit.database !== undefined && /^postgres(?:ql)?:\/\/[^/@]*:[^/@]*@/.test(audit.database))
    return '--audit-db: a password does not belong into the address: put it into a Secret (--audit-db-secret)';
  if (audit.secret !== undefined && audit.database === undefined) return '--audit-db-secret: only with --audit-db postgres://';
  if (page !== undefined && page.tokensSecret === undefined && page.oidc === undefined)
    return '--page-url: the page needs --page-tokens-secret or --page-oidc-issuer, which say who may see it';
  if (page?.oidc !== undefined && (page.oidc.issuer === '' || page.oidc.clientId === ''))
    return '--page-oidc-issuer and --page-oidc-client-id: one needs the other';
  return undefined;
}

/** Checks what cannot be installed, or would be refused by the API server after half of it is there. */
export function checkInstall(options: InstallOptions): Parsed<InstallOptions> {
  const refuse = (reason: string): Parsed<InstallOptions> => ({ ok: false, reason });
  const labels: readonly (readonly [string, string])[] = [
    ['--namespace', options.namespace],
    ['--revision', options.revision],
    ['--root-namespace', options.rootNamespace],
    ...options.gatewayNamespaces.map((name) => ['--gateway-namespace', name] as const),
    ...options.gateways.flatMap(({ namespace, name }) => [['--gateway', namespace] as const, ['--gateway', name] as const]),
  ];
  for (const [flag, text] of labels)
    if (!LABEL.test(text))
      return refuse(`${flag}: ${JSON.stringify(text)} is not a name of lower-case letters, digits and dashes`);
  // The objects of a tag are called so.
  if (/^(?:tag|.*-tag)-/.test(options.revision)) return refuse('--revision: a name with "tag-" in it is kept for tags');
  if (options.revision.length > LONGEST_REVISION) return refuse(`--revision: longer than ${LONGEST_REVISION} characters`);
  for (const [flag, text] of [
    ['--image', options.image],
    ['--proxy-image', options.proxyImage],
  ] as const)
    if (!IMAGE.test(text)) return refuse(`${flag}: ${JSON.stringify(text)} is not an image`);
  if (options.nodeAgent && options.revision !== DEFAULT_REVISION)
    return refuse('--node-agent: the default revision alone has one, which serves the pods of all (leave out --revision)');
  if (!Number.isInteger(options.replicas) || options.replicas < 1 || options.replicas > MOST_REPLICAS)
    return refuse(`--replicas: not between 1 and ${MOST_REPLICAS}`);
  const fault = recordsFault(options);
  return fault === undefined ? { ok: true, value: options } : refuse(fault);
}
