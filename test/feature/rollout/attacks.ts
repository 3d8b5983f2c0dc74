// The break-in of the first article: somebody has the support site's pod, its identity and its token, and tries what else can be reached.
import { foreignCertificate } from '../foreign-certificate.ts';
import type { Stage } from '../../../mesh/model/namespace-rollout.ts';
import type { MeshInUse } from './mesh-under-rollout.ts';
import { certificateOf, inPlainText, overTls } from './pod.ts';

export type Outcome = 'reached' | 'refused';

/** What is to be seen of an attack in the report, once it would be or is refused. */
export interface Trace {
  readonly destination: string;
  readonly method: string;
}

export interface Attack {
  readonly name: string;
  readonly run: (mesh: MeshInUse) => Promise<Outcome>;
  /** From this stage on it is refused; undefined: it never is, as it is what the support site may do. */
  readonly refusedFrom: Stage | 'always' | undefined;
  /** What the report names at dry-run (would be denied) and enforce (denied); undefined: a call that leaves no such trace. */
  readonly trace: Trace | undefined;
  /** Tried only once the policy is made: what is seen before it is learned, unless somebody refuses it. */
  readonly afterLearning: boolean;
}

const RBAC = 'RBAC: access denied';

const SUPPORT = 'shop/support';

function viaSidecar(url: string, method = 'GET', headers: Readonly<Record<string, string>> = {}) {
  return async (mesh: MeshInUse): Promise<Outcome> => {
    const { status, body } = await mesh.ask(SUPPORT, url, { method, headers });
    return status === 403 && body === RBAC ? 'refused' : 'reached';
  };
}

const answered = (received: string): Outcome => (received === '' || received.includes(RBAC) ? 'refused' : 'reached');

/** As if the users API had asked: what proxies and applications are told by headers must not count. */
const FORGED: Readonly<Record<string, string>> = Object.freeze({
  'x-forwarded-client-cert':
    'By=spiffe://cluster.local/ns/shop/sa/fraud;Hash=00;Subject="";URI=spiffe://cluster.local/ns/shop/sa/users',
  'x-envoy-original-path': '/healthz',
  'x-forwarded-for': '127.0.0.1',
  'x-original-url': '/healthz',
});

function row(name: string, refusedFrom: Attack['refusedFrom'], run: Attack['run'], trace?: Trace, afterLearning = false): Attack {
  return { name, run, refusedFrom, trace, afterLearning };
}

/** Who plans a rollout is told of these callers, and refuses them: `shop/support` has no business there. */
export const REFUSED_WORKLOADS: readonly string[] = Object.freeze(['fraud', 'website', 'database']);

export const ATTACKS: readonly Attack[] = Object.freeze([
  row('a user by its number, as the support site always does', undefined, viaSidecar('http://users:8080/users/9')),
  row('the fraud API', 'enforce', viaSidecar('http://fraud:8080/scores/7'), { destination: 'shop/fraud', method: 'GET' }),
  row('the website, to go on from there', 'enforce', viaSidecar('http://website:8080/'), {
    destination: 'shop/website',
    method: 'GET',
  }),
  row(
    'the fraud API with headers that claim to be the users API',
    'enforce',
    viaSidecar('http://fraud:8080/scores/8', 'GET', FORGED),
  ),
  row('the fraud API with the pod’s token shown as a bearer token', 'enforce', async (mesh) => {
    const token = await mesh.token(SUPPORT);
    return viaSidecar('http://fraud:8080/scores/9', 'GET', { authorization: `Bearer ${token}` })(mesh);
  }),
  row(
    'the database, over TCP with the support site’s certificate',
    'enforce',
    async (mesh) => answered(await overTls(mesh, 'shop/database', '/', await certificateOf(mesh, SUPPORT), ['istio'])),
    { destination: 'shop/database', method: '' },
  ),
  row('the fraud API with a certificate got elsewhere by the stolen token', 'enforce', async (mesh) =>
    answered(await overTls(mesh, 'shop/fraud', '/scores/7', await certificateOf(mesh, SUPPORT))),
  ),
  row('a certificate of the users API by the stolen token', 'always', (mesh) =>
    certificateOf(mesh, SUPPORT, 'users').then(
      () => 'reached' as const,
      () => 'refused' as const,
    ),
  ),
  row('the fraud API with a certificate of the users API by another authority', 'always', async (mesh) =>
    answered(await overTls(mesh, 'shop/fraud', '/scores/7', await foreignCertificate('spiffe://cluster.local/ns/shop/sa/users'))),
  ),
  row('the users API in plain text, without a certificate', 'strict', async (mesh) =>
    answered(await inPlainText(mesh, 'shop/users', '/users/7')),
  ),
  row('the database in plain text', 'strict', async (mesh) => answered(await inPlainText(mesh, 'shop/database', '/'))),
  row(
    'deletion of a user',
    'enforce',
    viaSidecar('http://users:8080/users/7', 'DELETE'),
    {
      destination: 'shop/users',
      method: 'DELETE',
    },
    true,
  ),
  row(
    'the users API’s other paths',
    'enforce',
    viaSidecar('http://users:8080/admin/export'),
    {
      destination: 'shop/users',
      method: 'GET',
    },
    true,
  ),
  row('other paths behind dots', 'enforce', viaSidecar('http://users:8080/users/../admin/export'), undefined, true),
  row(
    'other paths behind dots that are encoded',
    'enforce',
    viaSidecar('http://users:8080/users/%2e%2e/admin/export'),
    undefined,
    true,
  ),
]);

const ORDER: readonly Stage[] = ['observe', 'strict', 'dry-run', 'enforce'];

/** What is expected of an attack at a stage. */
export function expected({ refusedFrom }: Attack, stage: Stage): Outcome {
  if (refusedFrom === undefined) return 'reached';
  if (refusedFrom === 'always') return 'refused';
  return ORDER.indexOf(stage) >= ORDER.indexOf(refusedFrom) ? 'refused' : 'reached';
}

/** Those that are tried at a stage. */
export function attacksAt(stage: Stage): readonly Attack[] {
  return ATTACKS.filter(({ afterLearning }) => !afterLearning || stage === 'dry-run' || stage === 'enforce');
}
