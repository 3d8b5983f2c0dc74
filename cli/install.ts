import { Command, Option } from 'commander';
import { stringify } from 'yaml';
import type { KubernetesObject } from '../kubernetes/install/object.ts';
import { installObjects } from '../kubernetes/install/objects.ts';
import {
  checkInstall,
  type CrdChoice,
  DEFAULTS,
  type InstallOptions,
  type RolloutChoice,
} from '../kubernetes/install/options.ts';
import { crdObjects, MissingDefinitions } from './install/crds.ts';
import { collect } from './options/collect.ts';

interface InstallFlags {
  readonly namespace: string;
  readonly revision: string;
  readonly image: string;
  readonly proxyImage: string;
  readonly replicas: string;
  readonly trustDomain: string;
  readonly rootNamespace: string;
  readonly gatewayNamespace?: readonly string[];
  readonly gateway?: readonly string[];
  readonly networkPolicy: boolean;
  readonly nodeAgent?: true;
  readonly crds: CrdChoice;
  readonly rollouts: RolloutChoice;
  readonly auditDb?: string;
  readonly auditDbSecret?: string;
  readonly auditMinutes?: string;
  readonly auditHours?: string;
  readonly auditRetention?: string;
  readonly alertsSecret?: string;
  readonly pageUrl?: string;
  readonly pageTokensSecret?: string;
  readonly pageSessionsSecret?: string;
  readonly pageOidcIssuer?: string;
  readonly pageOidcClientId?: string;
  readonly pageOidcSecret?: string;
  readonly output: 'yaml' | 'json';
}

const HELP = `
Nothing is sent anywhere: what is printed is for kubectl, or for the repository that your cluster follows. The same objects are
manifests/charts/gatehouse (Helm) and manifests/kustomize.

Examples:
  gatehouse install | kubectl apply --server-side -f -
  gatehouse install --gateway istio-ingress/istio-ingressgateway | kubectl apply --server-side -f -
  gatehouse install --revision canary --image registry.example.org/control-plane:0.2.0 --crds none | kubectl apply --server-side -f -
  gatehouse install --audit-db postgres://gatehouse@db.example/audit --audit-db-secret audit-db --page-tokens-secret page | kubectl apply --server-side -f -
  gatehouse install --crds none | kubectl delete --ignore-not-found -f -
  gatehouse install -o json | jq -r '.items[] | .kind + " " + .metadata.name'`;

export function installCommand(): Command {
  return new Command('install')
    .description('print the objects that install the control plane in a Kubernetes cluster')
    .option('-n, --namespace <name>', 'where the control plane runs', DEFAULTS.namespace)
    .option(
      '--revision <name>',
      'install beside another control plane, for pods and namespaces with istio.io/rev=NAME',
      DEFAULTS.revision,
    )
    .option('--image <image>', "the control plane's image", DEFAULTS.image)
    .option('--proxy-image <image>', 'the image of injected proxies', DEFAULTS.proxyImage)
    .option('--replicas <number>', 'how many control planes share the work', String(DEFAULTS.replicas))
    .option('--trust-domain <name>', 'of all identities', DEFAULTS.trustDomain)
    .option('--root-namespace <name>', 'where policies are that hold for the whole mesh', DEFAULTS.rootNamespace)
    .option(
      '--gateway-namespace <name>',
      'let gateways of this namespace read its Secrets, once bound to the Role that is made; may be repeated',
      collect,
    )
    .option('--gateway <namespace/name>', 'install a gateway as well; may be repeated', collect)
    .option('--node-agent', 'a CSI driver on each node, by which pods without a sidecar get their identities')
    .option('--no-network-policy', 'no NetworkPolicy for the control plane')
    .addOption(
      new Option('--crds <which>', "definitions: Istio's, the Gateway API's and ours; ours alone; none")
        .choices(['all', 'own', 'none'])
        .default(DEFAULTS.crds),
    )
    .addOption(
      new Option(
        '--rollouts <how>',
        'NamespaceRollouts: the control plane may write the policies of their stages, or only propose them',
      )
        .choices(['enabled', 'propose'])
        .default(DEFAULTS.rollouts),
    )
    .option('--audit-db <postgres://...>', 'the audit store that replicas share; without it each has a file')
    .option(
      '--audit-db-secret <name>',
      'Secret with its "password" (and, for ?sslrootcert=/run/secrets/gatehouse/audit/ca.crt, "ca.crt")',
    )
    .option('--audit-minutes <hours>', 'how long calls are kept by minute, such as 48h')
    .option('--audit-hours <hours>', '... by hour')
    .option('--audit-retention <hours>', '... at all')
    .option('--alerts-secret <name>', 'Secret with "alerts.yaml" and the files that it names')
    .option(
      '--page-tokens-secret <name>',
      'serve the page at 15080, to the holders of tokens in the "tokens.yaml" of this Secret',
    )
    .option('--page-oidc-issuer <url>', 'serve the page, to those who sign in at this OpenID Connect provider')
    .option('--page-oidc-client-id <id>', 'of the page at the provider')
    .option('--page-oidc-secret <name>', 'Secret with "client-secret", of a confidential client')
    .option(
      '--page-sessions-secret <name>',
      'Secret with "keys" of the page\'s sessions; without it the control plane makes and renews them',
    )
    .option('--page-url <url>', 'how browsers reach the page')
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['yaml', 'json']).default('yaml'))
    .addHelpText('after', HELP)
    .action(install);
}

function recordsOf(flags: InstallFlags): Pick<InstallOptions, 'audit' | 'alertsSecret' | 'page'> {
  const { auditDb, auditDbSecret, auditMinutes, auditHours, auditRetention } = flags;
  const { pageUrl, pageTokensSecret, pageSessionsSecret, pageOidcIssuer, pageOidcClientId, pageOidcSecret } = flags;
  const hasProvider = [pageOidcIssuer, pageOidcClientId, pageOidcSecret].some((one) => one !== undefined);
  return {
    audit: {
      ...(auditDb !== undefined && { database: auditDb }),
      ...(auditDbSecret !== undefined && { secret: auditDbSecret }),
      ...(auditMinutes !== undefined && { minutes: auditMinutes }),
      ...(auditHours !== undefined && { hours: auditHours }),
      ...(auditRetention !== undefined && { retention: auditRetention }),
    },
    alertsSecret: flags.alertsSecret,
    page:
      [pageUrl, pageTokensSecret, pageSessionsSecret].every((one) => one === undefined) && !hasProvider
        ? undefined
        : {
            ...(pageUrl !== undefined && { url: pageUrl }),
            ...(pageTokensSecret !== undefined && { tokensSecret: pageTokensSecret }),
            ...(pageSessionsSecret !== undefined && { sessionsSecret: pageSessionsSecret }),
            ...(hasProvider && {
              oidc: {
                issuer: pageOidcIssuer ?? '',
                clientId: pageOidcClientId ?? '',
                ...(pageOidcSecret !== undefined && { secret: pageOidcSecret }),
              },
            }),
          },
  };
}

function install(flags: InstallFlags): void {
  const options: InstallOptions = {
    namespace: flags.namespace,
    revision: flags.revision,
    image: flags.image,
    proxyImage: flags.proxyImage,
    replicas: Number(flags.replicas),
    trustDomain: flags.trustDomain,
    rootNamespace: flags.rootNamespace,
    gatewayNamespaces: flags.gatewayNamespace ?? [],
    gateways: (flags.gateway ?? []).map((text) => {
      const slash = text.indexOf('/');
      return { namespace: text.slice(0, Math.max(slash, 0)), name: text.slice(slash + 1) };
    }),
    networkPolicy: flags.networkPolicy,
    nodeAgent: flags.nodeAgent ?? false,
    crds: flags.crds,
    rollouts: flags.rollouts,
    ...recordsOf(flags),
  };
  const checked = checkInstall(options);
  if (!checked.ok) {
    process.stderr.write(`gatehouse install: ${checked.reason}\n`);
    process.exitCode = 2;
    return;
  }
  let objects: readonly KubernetesObject[];
  try {
    objects = installObjects(checked.value, crdObjects(options.crds));
  } catch (error) {
    if (!(error instanceof MissingDefinitions)) throw error;
    process.stderr.write(`gatehouse install: ${error.message}\n`);
    process.exitCode = 1;
    return;
  }
  process.stdout.write(
    flags.output === 'json'
      ? `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }, undefined, 2)}\n`
      : objects.map((object) => stringify(object, { lineWidth: 0, aliasDuplicateObjects: false })).join('---\n'),
  );
}
