// apply, create, replace, delete and get of a cluster, on a real API server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { suggestionYaml } from '../../../cli/policy/suggest-print.ts';
import { suggest } from '../../../policy/suggest/suggest.ts';
import { type RanCommand, runCommand } from '../../cli/run-command.ts';
import { MAIN } from '../../cli/running-serve.ts';
import { eventually } from '../../eventually.ts';
import { root, samples } from '../../feature/running-mesh.ts';
import { TestFolder } from '../../mesh/folder.ts';
import { generatedMesh, NOW } from '../../policy/suggest/generated.ts';
import { isPresent, SEEDS } from '../../shared-data.ts';
import { at, withApiServer } from '../api-server.ts';

const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, labels: {app: web}}
spec:
  hosts: [reviews]
  http: [{route: [{destination: {host: reviews}}]}]
`;
const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: reviews}
spec: {selector: {app: reviews}, ports: [{name: http, port: 80}]}
`;
const renamed = (text: string, name: string): string => text.replace('name: reviews', `name: ${name}`);

describe('apply, create, replace, delete and get of a cluster', function () {
  this.timeout(180_000);
  const api = withApiServer();
  let folder: TestFolder;
  let made = 0;
  let namespace: string;

  before(async () => {
    await api().kubectl([
      'apply',
      '--server-side',
      '-f',
      join(root, 'gen/crds/istio.yaml'),
      '-f',
      join(root, 'gen/crds/gateway-api.yaml'),
    ]);
    await eventually('Istio and the Gateway API are served', async () => {
      const answers = await Promise.all(
        [
          'networking.istio.io/v1/virtualservices',
          'security.istio.io/v1/authorizationpolicies',
          'gateway.networking.k8s.io/v1/httproutes',
        ].map((path) => api().request('GET', `/apis/${path}`)),
      );
      return answers.every(({ status }) => status === 200) ? true : undefined;
    });
  });
  beforeEach(async () => {
    folder = new TestFolder();
    namespace = `shop-${(made += 1)}`;
    await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  });
  afterEach(() => folder.dispose());

  const run = (...args: readonly string[]): Promise<RanCommand> =>
    runCommand(...args, '-n', namespace, '--kubeconfig', api().kubeconfig);
  const input = (text: string): string => folder.write('in.yaml', text);
  const live = async (resource: string, name: string): Promise<unknown> =>
    (await api().request('GET', `/apis/networking.istio.io/v1/namespaces/${namespace}/${resource}/${name}`)).body;

  it('apply creates, leaves alone, configures, and takes out what it had put in', async () => {
    const file = input(`${SERVICE}---\n${ROUTE.replace('http: [{', 'http: [{timeout: 3s, ')}`);
    assert.deepEqual(await run('apply', '-f', file), {
      code: 0,
      out: 'service/reviews created\nvirtualservice.networking.istio.io/reviews created\n',
      err: '',
    });
    assert.equal(
      (await run('apply', '-f', file)).out,
      'service/reviews unchanged\nvirtualservice.networking.istio.io/reviews unchanged\n',
    );
    const changed = await run('apply', '-f', input(ROUTE.replace(', labels: {app: web}', '')));
    assert.deepEqual([changed.out, changed.err], ['virtualservice.networking.istio.io/reviews configured\n', '']);
    const now = await live('virtualservices', 'reviews');
    assert.equal(at(now, 'metadata', 'labels'), undefined);
    assert.doesNotMatch(JSON.stringify(at(now, 'spec')), /timeout/);
  });

  it('wrong input sends nothing: the file, the line, and what to do', async () => {
    const file = input(`${SERVICE}---\n${ROUTE.replace('hosts', 'hoosts')}`);
    const { code, out, err } = await run('apply', '-f', file);
    assert.deepEqual([code, out], [1, '']);
    assert.match(
      err,
      /in\.yaml:10: error: VirtualService shop-\d+\/reviews spec\.hoosts: unknown field "hoosts" \(did you mean hosts\?\)/,
    );
    assert.match(err, /the input is wrong; nothing was sent/);
    assert.equal((await run('get', 'svc', 'reviews')).code, 1);
    const nameless = await run('create', '-f', input('apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: x-}\n'));
    assert.equal(nameless.code, 1);
    assert.match(nameless.err, /in\.yaml:1: error: an object of kind ConfigMap has no metadata\.name/);
  });

  it('the configuration that is there is taken into account, for what comes and for what goes', async () => {
    const subset = ROUTE.replace('host: reviews', 'host: reviews, subset: v9');
    const rule = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v2, labels: {version: v2}}]}
`;
    assert.equal((await run('apply', '-f', input(`${SERVICE}---\n${rule}`))).code, 0);
    const missing = await run('apply', '-f', input(subset));
    assert.equal(missing.code, 0);
    assert.match(missing.err, /in\.yaml:6: warning: VirtualService shop-\d+\/reviews spec\.http\[0\].*has a subset "v9".*v2/);
    assert.equal((await run('apply', '-f', input(subset.replace('v9', 'v2')))).err, '');
    const gone = await run('delete', 'dr', 'reviews');
    assert.deepEqual([gone.code, gone.out], [0, 'destinationrule.networking.istio.io/reviews deleted\n']);
    assert.match(gone.err, /warning: VirtualService shop-\d+\/reviews .*subset "v2"/);
    assert.equal((await run('apply', '--no-together', '-f', input(subset))).err, '');
  });

  it('one that the cluster refuses leaves the others; each is told of', async () => {
    const old = 'apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: old}\nspec: {template: {}}\n';
    const strange = 'apiVersion: example.org/v1\nkind: Strange\nmetadata: {name: strange}\n';
    const file = input(
      [
        strange,
        old,
        renamed(SERVICE, 'Bad.Name').replace('Bad.Name', 'bad.name'),
        SERVICE,
        'apiVersion: gatehouse.dev/v1alpha1\nkind: RateLimit\nmetadata: {name: r}\nspec: {limits: [{name: a, requests: 5, per: 1s}]}\n',
        ROUTE.replace('metadata: {', 'metadata: {namespace: nowhere, ').replace('name: reviews', 'name: away'),
      ].join('---\n'),
    );
    const { code, out, err } = await runCommand('apply', '-f', file, '--kubeconfig', api().kubeconfig, '-o', 'json');
    assert.equal(code, 1);
    const rows: unknown = JSON.parse(out);
    assert.deepEqual(Array.isArray(rows) && rows.map((row) => [at(row, 'name'), at(row, 'outcome')]), [
      ['strange', 'failed'],
      ['old', 'failed'],
      ['bad.name', 'failed'],
      ['reviews', 'created'],
      ['r', 'failed'],
      ['away', 'failed'],
    ]);
    assert.match(err, /strange\.example\.org\/strange .*no kind Strange in example\.org\/v1 \(see kubectl api-resources/);
    assert.match(err, /deployment\.extensions\/old .*\(write apiVersion: apps\/v1\)/);
    assert.match(err, /service\/bad\.name .*Invalid value.*\(correct the object\)/);
    assert.match(err, /ratelimit\.gatehouse\.dev\/r .*\(install its definition: gatehouse install/);
    assert.match(
      err,
      /virtualservice\.networking\.istio\.io\/away in namespace nowhere: namespaces "nowhere" not found \(create the namespace/,
    );
    assert.match(err, /5 of 6 objects failed, 1 was done/);
    await run('delete', 'svc', 'reviews', '-n', 'default');
  });

  it('a field that another wrote is not taken without being told', async () => {
    await run('apply', '-f', input(ROUTE));
    const patch = JSON.stringify({ spec: { hosts: ['reviews', 'other'] } });
    await api().kubectl([
      'patch',
      'vs',
      'reviews',
      '-n',
      namespace,
      '--type',
      'merge',
      '-p',
      patch,
      '--field-manager',
      'somebody',
    ]);
    const refused = await run('apply', '-f', input(ROUTE.replace('hosts: [reviews]', 'hosts: [reviews, mine]')));
    assert.equal(refused.code, 1);
    assert.match(refused.err, /conflict with "somebody".*\.spec\.hosts \(.*--force-conflicts\)/);
    const forced = await run(
      'apply',
      '--force-conflicts',
      '-f',
      input(ROUTE.replace('hosts: [reviews]', 'hosts: [reviews, mine]')),
    );
    assert.deepEqual([forced.code, forced.out], [0, 'virtualservice.networking.istio.io/reviews configured\n']);
    assert.deepEqual(at(await live('virtualservices', 'reviews'), 'spec', 'hosts'), ['reviews', 'mine']);
  });

  it('from kubectl apply to gatehouse apply and back: what is left out goes, each time', async () => {
    const timed = ROUTE.replace('hosts: [reviews]', 'hosts: [reviews]\n  exportTo: ["."]');
    const kubectl = async (text: string): Promise<void> => {
      const { code, stderr } = await api().kubectl(['apply', '-n', namespace, '-f', '-'], { input: text });
      assert.deepEqual([code, stderr], [0, '']);
    };
    const exported = async (): Promise<unknown> => at(await live('virtualservices', 'reviews'), 'spec', 'exportTo');
    await kubectl(timed);
    assert.deepEqual(await exported(), ['.']);
    // A dry run takes nothing over for good.
    assert.equal((await run('apply', '--dry-run', '-f', input(timed.replace('["."]', '["*"]')))).code, 0);
    assert.equal((await run('apply', '-f', input(ROUTE))).code, 0);
    assert.equal(await exported(), undefined);
    assert.equal((await run('apply', '-f', input(ROUTE))).out, 'virtualservice.networking.istio.io/reviews unchanged\n');
    await kubectl(timed);
    assert.deepEqual(await exported(), ['.']);
    await kubectl(ROUTE);
    assert.equal(await exported(), undefined);
    await run('apply', '-f', input(timed));
    await kubectl(ROUTE);
    assert.equal(await exported(), undefined);
  });

  it('create refuses what is there, replace what is not; what they wrote apply may change', async () => {
    assert.match(
      (await run('replace', '-f', input(ROUTE))).err,
      /reviews in namespace shop-\d+: not found \(use gatehouse create or/,
    );
    assert.deepEqual((await run('create', '-f', input(ROUTE))).out, 'virtualservice.networking.istio.io/reviews created\n');
    assert.match((await run('create', '-f', input(ROUTE))).err, /already exists \(use gatehouse apply or gatehouse replace\)/);
    const exported = ROUTE.replace('hosts: [reviews]', 'hosts: [reviews]\n  exportTo: ["."]');
    assert.equal((await run('replace', '-f', input(exported))).out, 'virtualservice.networking.istio.io/reviews replaced\n');
    assert.equal((await run('apply', '-f', input(ROUTE))).code, 0);
    assert.equal(at(await live('virtualservices', 'reviews'), 'spec', 'exportTo'), undefined);
    const printed = (await run('get', 'vs', 'reviews', '-o', 'yaml')).out;
    await run('apply', '-f', input(exported));
    const late = await run('replace', '-f', input(printed));
    assert.equal(late.code, 1);
    assert.match(late.err, /object has been modified.*\(it was changed meanwhile: read it again/);
  });

  it('a dry run changes nothing, and says what would be done', async () => {
    const file = input(`apiVersion: v1\nkind: Namespace\nmetadata: {name: fresh}\n---\n${ROUTE}`);
    const asked = await runCommand(
      'apply',
      '-f',
      file,
      '--dry-run',
      '-n',
      namespace,
      '--kubeconfig',
      api().kubeconfig,
      '-o',
      'yaml',
    );
    assert.equal(asked.code, 0);
    assert.ok(parseAllDocuments(asked.out).some((one) => at(one.toJS(), 'metadata', 'uid') !== undefined));
    const { out } = await run('create', '-f', file, '--dry-run=client');
    assert.equal(out, 'namespace/fresh created (dry run)\nvirtualservice.networking.istio.io/reviews created (dry run)\n');
    assert.equal((await run('create', '-f', file, '--dry-run=server')).out, out.replaceAll('(dry run)', '(server dry run)'));
    assert.equal((await run('get', 'vs', 'reviews')).code, 1);
    await run('apply', '-f', input(ROUTE));
    assert.match((await run('delete', 'vs', 'reviews', '--dry-run')).out, /deleted \(server dry run\)/);
    assert.equal((await run('get', 'vs', 'reviews')).code, 0);
  });

  it('get: columns, namespaces, labels, names, forms', async () => {
    await run('apply', '-f', input(`${ROUTE}---\n${renamed(ROUTE, 'other').replace('app: web', 'app: api')}---\n${SERVICE}`));
    const [head, ...rows] = (await run('get', 'vs')).out.trimEnd().split('\n');
    assert.deepEqual(head?.split(/ +/), ['NAME', 'GATEWAYS', 'HOSTS', 'AGE']);
    assert.deepEqual(
      rows.map((row) => row.split(/ +/).slice(0, 2)),
      [
        ['other', 'reviews'],
        ['reviews', 'reviews'],
      ],
    );
    assert.match(
      (await run('get', 'virtualservices.networking.istio.io', '-l', 'app in (web)', '-o', 'name')).out,
      /^virtualservice\.networking\.istio\.io\/reviews\n$/,
    );
    const everywhere = (await run('get', 'all', '-A')).out;
    assert.match(everywhere, new RegExp(`${namespace} +virtualservice\\.networking\\.istio\\.io/other`));
    assert.match(everywhere, new RegExp(`${namespace} +service/reviews`));
    const one: unknown = parse((await run('get', 'vs/reviews', '-o', 'yaml')).out);
    assert.equal(at(one, 'kind'), 'VirtualService');
    assert.equal(at(one, 'metadata', 'managedFields'), undefined);
    const many: unknown = JSON.parse((await run('get', 'vs', 'reviews', 'other', '-o', 'json')).out);
    assert.equal(at(many, 'kind'), 'List');
    const missing = await run('get', 'vs', 'reviews', 'none');
    assert.deepEqual([missing.code, /virtualservices "none" not found in namespace/.test(missing.err)], [1, true]);
    const unknown = await run('get', 'rl');
    assert.deepEqual([unknown.code, /no kind RateLimit.*install its definition/.test(unknown.err)], [1, true]);
    assert.deepEqual((await run('get', 'dr')).err, `No resources found in ${namespace} namespace.\n`);
    assert.equal((await run('get', 'nothing')).code, 2);
    const status = {
      status: {
        conditions: [
          { type: 'Accepted', status: 'True', reason: 'Accepted', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
          {
            type: 'Programmed',
            status: 'False',
            reason: 'Pending',
            message: '2 of 3 proxies',
            lastTransitionTime: '2026-01-01T00:00:00Z',
          },
        ],
      },
    };
    await api().request('PATCH', `/apis/networking.istio.io/v1/namespaces/${namespace}/virtualservices/reviews/status`, status);
    assert.match(
      (await run('get', 'vs', '-o', 'wide')).out,
      /ACCEPTED +PROGRAMMED +REASON[^]*reviews +reviews +\d+s +True +False \(2 of 3\) +Pending/,
    );
  });

  it('delete: by label, all of a kind, by file though it is wrong', async () => {
    await run(
      'apply',
      '-f',
      input(`${ROUTE}---\n${renamed(ROUTE, 'b')}---\n${renamed(ROUTE, 'c').replace('app: web', 'app: api')}`),
    );
    assert.equal((await run('delete', 'vs', '-l', 'app=web')).out.split('\n').length, 3);
    assert.equal((await run('delete', 'vs', '-l', 'app=web')).err, 'No resources found.\n');
    const wrong = input(renamed(ROUTE, 'c').replace('hosts', 'hoosts'));
    assert.equal((await run('delete', '-f', wrong)).out, 'virtualservice.networking.istio.io/c deleted\n');
    assert.equal((await run('delete', '-f', wrong)).code, 1);
    assert.equal((await run('delete', '-f', wrong, '--ignore-not-found')).code, 0);
    await run('apply', '-f', input(ROUTE));
    assert.equal((await run('delete', 'vs', '--all')).out, 'virtualservice.networking.istio.io/reviews deleted\n');
    assert.equal((await run('delete', 'vs')).code, 2);
  });

  it('without a right: who, what, and which Role; with rights in one namespace only, it works there', async () => {
    await eventually('the namespace has its ServiceAccount', async () => {
      const { status } = await api().request('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`);
      return status === 200 ? true : undefined;
    });
    const kubeconfig = await api().kubeconfigFor(namespace, 'default');
    const as = (...args: readonly string[]): Promise<RanCommand> =>
      runCommand(...args, '-n', namespace, '--kubeconfig', kubeconfig);
    const refused = await as('apply', '-f', input(ROUTE));
    assert.equal(refused.code, 1);
    assert.match(
      refused.err,
      /cannot get resource "virtualservices".*\(ask for a Role with the verbs get, create, patch on virtualservices\.networking\.istio\.io; see kubectl auth can-i --list -n shop-/,
    );
    assert.match((await as('get', 'vs')).err, /cannot list resource "virtualservices".*get, list on/);
    await api().apply(
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name: 'routes', namespace },
        rules: [
          {
            apiGroups: ['networking.istio.io'],
            resources: ['virtualservices', 'destinationrules'],
            verbs: ['get', 'list', 'patch', 'create'],
          },
        ],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'routes', namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'routes' },
        subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
      },
    );
    const done = await eventually('the Role is in effect', async () => {
      const ran = await as('apply', '-f', input(ROUTE));
      return ran.code === 0 ? ran : undefined;
    });
    assert.equal(done.out, 'virtualservice.networking.istio.io/reviews created\n');
    assert.match(done.err, /you may not list .*services.* of all namespaces/);
    assert.match((await as('delete', 'vs', 'reviews')).err, /cannot delete resource.*get, delete on/);
  });

  it('a token that is none, a context that is not there, a kubeconfig that is not there', async () => {
    const bad = folder.write(
      'bad.kubeconfig',
      readFileSync(api().kubeconfig, 'utf8').replace(/client-certificate: .*\n.*client-key: .*/, 'token: nonsense'),
    );
    const unknown = await runCommand('apply', '-f', input(ROUTE), '--kubeconfig', bad);
    assert.deepEqual([unknown.code, /does not know you: log in again/.test(unknown.err)], [1, true]);
    assert.match((await run('get', 'vs', '--context', 'prod')).err, /no context "prod"; it has test/);
    assert.match((await runCommand('get', 'vs', '--kubeconfig', folder.at('none'))).err, /kubeconfig .*none cannot be read/);
    assert.equal((await run('get', 'vs', '--dir', folder.at('mesh'))).code, 2);
    assert.equal((await runCommand('apply', '-f', input(ROUTE), '--dry-run')).code, 2);
  });

  it('a definition and its objects in one input, and the standard input', async () => {
    const definition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  names: {kind: Thing, plural: things, singular: thing}
  scope: Cluster
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {size: {type: integer}}}}
`;
    const thing = 'apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: one}\nsize: 3\n';
    const args = [...MAIN, 'apply', '-f', '-', '--kubernetes'];
    const child = spawn(process.execPath, args, { env: { ...process.env, KUBECONFIG: api().kubeconfig }, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    child.stdin.end(`${thing}---\n${definition}`);
    await once(child, 'close');
    assert.equal(
      out,
      'customresourcedefinition.apiextensions.k8s.io/things.example.com created\nthing.example.com/one created\n',
      err,
    );
    const unknown = await run('apply', '-f', input(thing.replace('size: 3', 'sise: 3')));
    assert.match(unknown.err, /sise: field not declared in schema|unknown field "sise"/);
  });

  it('bookinfo, whole, and changed by kubectl afterwards', async () => {
    const folders = ['-f', join(samples, 'bookinfo'), '-f', join(samples, 'bookinfo-rules', 'subsets.yaml')];
    const here = (...args: readonly string[]) => runCommand(...args, '--kubeconfig', api().kubeconfig);
    const first = await here('apply', ...folders);
    assert.equal(first.code, 0, first.err);
    const again = await here('apply', ...folders);
    assert.equal(again.code, 0, again.err);
    assert.ok(
      again.out
        .split('\n')
        .filter((line) => line !== '')
        .every((line) => line.endsWith(' unchanged')),
      again.out,
    );
    const { code, stderr } = await api().kubectl(['apply', ...folders]);
    assert.equal(code, 0, stderr);
    const third = await here('apply', ...folders);
    assert.equal(third.code, 0, third.err);
    const gone = await here('delete', ...folders);
    // A Namespace that Kubernetes keeps is among it.
    assert.match(gone.err, /namespace\/default: .*may not be deleted[^]*1 of 22 objects failed/);
  });

  it('kubectl takes what policy suggest prints', async () => {
    const mesh = generatedMesh(24, 7);
    const suggestion = suggest({ ...mesh, by: 'workload', now: NOW });
    const text = suggestionYaml(suggestion, { dryRun: true, evidence: { calls: [], since: undefined, until: NOW, missing: [] } });
    for (const name of new Set(suggestion.policies.map((policy) => policy.namespace)))
      await api().apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    const { code, stdout, stderr } = await api().kubectl(['apply', '--dry-run=server', '--validate=strict', '-f', input(text)]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.trim().split('\n').length, suggestion.policies.length);
  });

  it("the articles' YAML: what kubectl takes is taken, what it refuses is refused with more to say", async function () {
    if (!isPresent(SEEDS)) return this.skip();
    const differ: string[] = [];
    for (const name of readdirSync(SEEDS).filter((one) => one.endsWith('.yaml'))) {
      const file = join(SEEDS, name);
      const kubectl = await api().kubectl(['apply', '--server-side', '--dry-run=server', '-n', namespace, '-f', file]);
      const ours = await run('apply', '--dry-run', '-f', file);
      if ((kubectl.code === 0) !== (ours.code === 0)) differ.push(`${name}: ${kubectl.stderr} / ${ours.err}`);
    }
    assert.deepEqual(differ, []);
    return undefined;
  });

  it('the API server is away: which, and nothing is left unsaid; then it works again', async () => {
    await api().kill();
    const { code, err } = await run('apply', '-f', input(`${ROUTE}---\n${renamed(ROUTE, 'b')}`));
    assert.equal(code, 1);
    assert.match(
      err,
      /the API server https:\/\/127\.0\.0\.1:\d+ was not reached: .*\(check that it runs, and that "test" is the cluster/,
    );
    const alone = await run('apply', '--no-together', '-f', input(`${ROUTE}---\n${renamed(ROUTE, 'b')}`));
    assert.match(
      alone.err,
      /reviews in namespace .*was not reached[^]*\/b in namespace .*: not sent[^]*2 of 2 objects failed, 0 were done/,
    );
    assert.match((await run('get', 'vs')).err, /was not reached/);
    await api().start();
    assert.equal((await run('apply', '-f', input(ROUTE))).code, 0);
  });
});
