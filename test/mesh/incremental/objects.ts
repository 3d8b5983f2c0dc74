/** Picks with a seed; the same seed picks the same. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  one<T>(of: readonly T[]): T {
    const found = of[this.below(of.length)];
    if (found === undefined) throw new TypeError('nothing to pick from');
    return found;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}

const NAMES = ['a', 'b', 'c', 'web'] as const;
const SPACES = ['one', 'two', 'istio-system'] as const;
const VERSIONS = ['v1', 'v2'] as const;

function meta(dice: Dice, kind: string, apiVersion: string, labels = ''): string {
  const age = dice.chance(30) ? `\n  creationTimestamp: "2026-01-0${1 + dice.below(4)}T00:00:00Z"` : '';
  const own = labels === '' ? '' : `\n  labels: ${labels}`;
  return `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: ${dice.one(NAMES)}\n  namespace: ${dice.one(SPACES)}${own}${age}\n`;
}

const host = (dice: Dice): string =>
  dice.one([
    dice.one(NAMES),
    `${dice.one(NAMES)}.${dice.one(SPACES)}.svc.cluster.local`,
    'api.example.com',
    'apj.example.com',
    '*.example.com',
  ]);
const selector = (dice: Dice): string =>
  dice.one([
    `{app: ${dice.one(NAMES)}}`,
    `{app: ${dice.one(NAMES)}, version: ${dice.one(VERSIONS)}}`,
    `{version: ${dice.one(VERSIONS)}}`,
  ]);
const address = (dice: Dice): string => `10.1.0.${1 + dice.below(9)}`;

const destination = (dice: Dice): string =>
  `{host: ${host(dice)}${dice.chance(40) ? `, subset: ${dice.one(VERSIONS)}` : ''}${dice.chance(30) ? `, port: {number: ${dice.one([80, 81])}}` : ''}}`;

const template = (dice: Dice): string =>
  `template: {metadata: {labels: ${selector(dice)}}, spec: {containers: [{name: app, image: app, ports: [{containerPort: 8080}]${dice.chance(20) ? ', securityContext: {runAsUser: 1337}' : ''}}]}}`;

/** One object of each kind that counts, of few names so that objects meet. */
export const MAKERS: readonly ((dice: Dice) => string)[] = [
  (dice) => `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${dice.one(SPACES)}, labels: {team: ${dice.one(NAMES)}}}\n`,
  (dice) =>
    `${meta(dice, 'Service', 'v1')}spec: {selector: ${selector(dice)}, ports: [{name: ${dice.one(['http', 'tcp', 'web'])}, port: ${dice.one([80, 81])}}]${dice.one(['', ', clusterIP: None', `, clusterIP: ${address(dice)}`])}}\n`,
  (dice) => `${meta(dice, 'Service', 'v1')}spec: {selector: ${selector(dice)}, ports: [{name: http, port: 80}]}\n`,
  (dice) =>
    `${meta(dice, 'Service', 'v1')}spec: {type: ExternalName, externalName: ${host(dice)}, ports: [{name: http, port: 80}]}\n`,
  (dice) =>
    `${meta(dice, 'ServiceEntry', 'networking.istio.io/v1')}spec: {hosts: [${dice.one(['api.example.com', '"*.example.com"', `${dice.one(NAMES)}.one.svc.cluster.local`])}${dice.chance(30) ? ', more.example.com' : ''}], ports: [{number: 80, name: http, protocol: ${dice.one(['HTTP', 'TCP'])}}], resolution: NONE}\n`,
  (dice) => `${meta(dice, dice.one(['Deployment', 'StatefulSet']), 'apps/v1')}spec: {${template(dice)}}\n`,
  (dice) =>
    `${meta(dice, 'ReplicaSet', 'apps/v1').replace(/name: (\w+)/, 'name: $1-6d4f')}  ownerReferences: [{kind: Deployment, name: ${dice.one(NAMES)}}]\nspec: {${template(dice)}}\n`,
  (dice) =>
    `${meta(dice, 'Pod', 'v1', selector(dice)).replace(/name: (\w+)/, `name: $1-${String(dice.below(3))}`)}${dice.one([
      '',
      `  ownerReferences: [{kind: ${dice.one(['Deployment', 'StatefulSet'])}, name: ${dice.one(NAMES)}}]\n`,
      `  ownerReferences: [{kind: ReplicaSet, name: ${dice.one(NAMES)}-6d4f}]\n`,
    ])}spec: {nodeName: ${dice.one(['n1', 'n2'])}, containers: [{name: app, image: app}]}\nstatus: {podIP: ${address(dice)}, phase: Running, conditions: [{type: Ready, status: "${dice.one(['True', 'True', 'False'])}"}]}\n`,
  (dice) =>
    `apiVersion: v1\nkind: Node\nmetadata: {name: ${dice.one(['n1', 'n2'])}, labels: {topology.kubernetes.io/region: r, topology.kubernetes.io/zone: ${dice.one(['z1', 'z2'])}}}\n`,
  (dice) =>
    `${meta(dice, 'EndpointSlice', 'discovery.k8s.io/v1', `{kubernetes.io/service-name: ${dice.one(NAMES)}}`)}addressType: IPv4\nports: [{name: http, port: 8080}]\nendpoints: [{addresses: [${address(dice)}], zone: ${dice.one(['z1', 'z2'])}${dice.chance(50) ? `, targetRef: {kind: Pod, name: ${dice.one(NAMES)}-${String(dice.below(3))}}` : ''}}]\n`,
  (dice) =>
    `${meta(dice, 'WorkloadEntry', 'networking.istio.io/v1')}spec: {address: ${address(dice)}, labels: ${selector(dice)}}\n`,
  (dice) =>
    `${meta(dice, 'VirtualService', 'networking.istio.io/v1')}spec: {hosts: [${host(dice).replace(/^\*.*/, '"$&"')}]${dice.one(['', '', `, gateways: [${dice.one(NAMES)}]`, ', gateways: [mesh, one/a]'])}, http: [{route: [{destination: ${destination(dice).replace(/host: (\*[^,}]*)/, 'host: "$1"')}, weight: ${dice.below(100)}}, {destination: {host: b}, weight: 5}]}]}\n`,
  (dice) =>
    `${meta(dice, 'VirtualService', 'networking.istio.io/v1')}spec: {hosts: [${dice.one(NAMES)}], http: [{delegate: {name: ${dice.one(NAMES)}, namespace: ${dice.one(SPACES)}}}]}\n`,
  (dice) =>
    `${meta(dice, 'VirtualService', 'networking.istio.io/v1')}spec: {http: [{route: [{destination: {host: ${dice.one(NAMES)}}}]}]}\n`,
  (dice) =>
    `${meta(dice, 'DestinationRule', 'networking.istio.io/v1')}spec: {host: ${host(dice).replace(/^\*.*/, '"$&"')}, subsets: [{name: v1, labels: {version: v1}}${dice.chance(50) ? ', {name: v2, labels: {version: v2}}' : ''}]}\n`,
  (dice) =>
    `${meta(dice, 'Gateway', 'networking.istio.io/v1')}spec: {selector: ${selector(dice)}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [${dice.one(['"*"', 'api.example.com', '"two/*"'])}]}]}\n`,
  (dice) =>
    `${meta(dice, 'Gateway', 'gateway.networking.k8s.io/v1')}spec: {gatewayClassName: istio, listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: ${dice.one(['All', 'Same'])}}}}]}\n`,
  (dice) =>
    `${meta(dice, 'HTTPRoute', 'gateway.networking.k8s.io/v1')}spec: {parentRefs: [{name: ${dice.one(NAMES)}, namespace: ${dice.one(SPACES)}${dice.chance(40) ? ', kind: Service, group: ""' : ''}}], rules: [{backendRefs: [{name: ${dice.one(NAMES)}, namespace: ${dice.one(SPACES)}, port: 80}]}]}\n`,
  (dice) =>
    `${meta(dice, 'ReferenceGrant', 'gateway.networking.k8s.io/v1beta1')}spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: ${dice.one(SPACES)}}], to: [{group: "", kind: Service}]}\n`,
  (dice) =>
    `${meta(dice, 'Ingress', 'networking.k8s.io/v1')}spec: {ingressClassName: ${dice.one(NAMES)}, rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: ${dice.one(NAMES)}, port: {name: http}}}}]}}]}\n`,
  (dice) =>
    `apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: ${dice.one(NAMES)}}\nspec: {controller: ${dice.one(['istio.io/ingress-controller', 'other.example/x'])}}\n`,
  (dice) =>
    `${meta(dice, 'Sidecar', 'networking.istio.io/v1')}spec: {workloadSelector: {labels: ${selector(dice)}}, egress: [{hosts: ["${dice.one(['./*', '*/*'])}"]}]}\n`,
  (dice) =>
    `${meta(dice, 'AuthorizationPolicy', 'security.istio.io/v1')}spec: {selector: {matchLabels: ${selector(dice)}}, action: ${dice.one(['ALLOW', 'DENY'])}, rules: [{from: [{source: {namespaces: [${dice.one(SPACES)}]}}]}]}\n`,
  (dice) =>
    `${meta(dice, 'PeerAuthentication', 'security.istio.io/v1')}spec: {mtls: {mode: ${dice.one(['STRICT', 'PERMISSIVE'])}}}\n`,
  (dice) =>
    `${meta(dice, 'RequestAuthentication', 'security.istio.io/v1')}spec: {selector: {matchLabels: ${selector(dice)}}, jwtRules: [{issuer: ${dice.one(NAMES)}, jwksUri: "https://keys.example.com"}]}\n`,
  (dice) => `${meta(dice, 'ConfigMap', 'v1')}data: {key: ${dice.one(NAMES)}}\n`,
  (dice) =>
    `${meta(dice, 'Telemetry', 'telemetry.istio.io/v1')}spec: {accessLogging: [{disabled: ${dice.one(['true', 'false'])}}]}\n`,
];

/** What is wrong with documents, in more than one way. */
const SPOIL: readonly ((text: string) => string)[] = [
  (text) => text.replace('spec:', 'spec: ['),
  (text) => text.replace(/name: \w+/, 'nam: x'),
  (text) => text.replace('kind: ', 'kind: X'),
  (text) => text.replace('spec: {', 'spec: {strange: 1, '),
  (text) => text.replace('kind: ', 'kid: '),
  (text) => text.replace('http', 'HTTP~').replace('ALLOW', 'PERHAPS'),
  () => 'just text\n',
];

type Maker = (typeof MAKERS)[number];

/** Few kinds of all, so that those of one run meet more often. */
export function someMakers(dice: Dice): readonly Maker[] {
  return dice.chance(25) ? MAKERS : Array.from({ length: 6 }, () => dice.one(MAKERS));
}

/** A document as somebody may write it, at times a wrong one, or two without a marker between. */
export function documentBy(dice: Dice, makers: readonly Maker[]): string {
  const text = dice.one(makers)(dice);
  if (dice.chance(6)) return dice.one(SPOIL)(text);
  if (dice.chance(4)) return `${text}${dice.one(makers)(dice)}`;
  if (dice.chance(4)) {
    const items = [text, dice.one(makers)(dice)].map((one) => `- ${one.trimEnd().replaceAll('\n', '\n  ')}\n`);
    return `apiVersion: v1\nkind: List\nitems:\n${items.join('')}`;
  }
  return dice.chance(10) ? `# a comment\n${text}` : text;
}
