// A canary upgrade and the way back: two revisions of an installation side by side, with the webhooks, accounts and Services that `gatehouse install` gives them, and pods that
// are injected by the one and then by the other while they call each other.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { netnsObstacle } from '../../cli/up/netns/capture.ts';
import { envoyOrSkip } from '../audit/envoy/process.ts';
import { MAIN, RunningServe } from '../cli/running-serve.ts';
import { eventually } from '../eventually.ts';
import { type Ran, at, withApiServer } from './api-server.ts';
import { looseDefinition } from './definition.ts';
import type { InjectedPod } from './injected-pod.ts';
import { ClusterNode } from './node.ts';

const NAMESPACE = 'gatehouse-system';
const [OLD, NEW] = ['1-0', '1-1'];
/** Set for a test: where things are kept and listened for, and what a container finds in its file system. */
const ELSEWHERE = /^--(?:grpc-address|http-address|webhook-address|ca-dir|audit-db|mesh-config)=/;

interface Plane {
  readonly serve: RunningServe;
  readonly http: string;
  /** The name that pods know it by, and its address. */
  readonly host: string;
}

interface Pod {
  readonly namespace: string;
  readonly app: string;
  readonly name: string;
  readonly object: unknown;
  readonly run: InjectedPod;
}

interface Traffic {
  readonly good: number;
  readonly failed: readonly string[];
  /** Which pods answered, and how often. */
  readonly by: Readonly<Record<string, number>>;
}

describe('an upgrade by revision, and the way back', function () {
  this.timeout(600_000);
  const obstacle = netnsObstacle();
  if (obstacle !== undefined) {
    it.skip(obstacle);
    return;
  }
  const api = withApiServer();
  const planes = new Map<string, Plane>();
  const pods = new Map<string, Pod>();
  let node: ClusterNode;
  let dir: string;
  let made = 0;

  const ip = (...args: readonly string[]) => spawnSync('ip', [...args], { encoding: 'utf8' });

  before(async function () {
    const envoy = envoyOrSkip(this);
    if (!api().hasControllers) return this.skip();
    dir = mkdtempSync(join(tmpdir(), 'gatehouse-upgrade-'));
    // Applications write what they saw, as another user.
    spawnSync('chmod', ['777', dir]);
    node = new ClusterNode({ api: api(), envoy, number: 9, dir });
    await api().apply(
      { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'istio-system' } },
      looseDefinition('security.istio.io', 'PeerAuthentication'),
      looseDefinition('networking.istio.io', 'VirtualService'),
    );
    await install(OLD);
    await gatehouse('tag', 'set', 'prod', '--revision', OLD);
    await api().apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { 'istio.io/rev': 'prod' } } },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'pay', labels: { 'gatehouse.dev/rev': 'prod' } } },
      ...['shop', 'pay'].flatMap((namespace) => [
        {
          apiVersion: 'security.istio.io/v1',
          kind: 'PeerAuthentication',
          metadata: { name: 'strict', namespace },
          spec: { mtls: { mode: 'STRICT' } },
        },
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'app', namespace } },
      ]),
      ...[
        ['shop', 'users'],
        ['pay', 'cards'],
      ].map(([namespace, name]) => ({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace },
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
      })),
    );
  });
  after(async () => {
    node?.remove();
    for (const { serve } of planes.values()) await serve.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  async function ran(args: readonly string[]): Promise<Ran> {
    const child = spawn(process.execPath, [...MAIN, ...args], {
      env: { ...process.env, KUBECONFIG: api().kubeconfig },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    return { code, stdout, stderr };
  }

  async function gatehouse(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await ran(args);
    assert.equal(code, 0, `gatehouse ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  async function refusal(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await ran(args);
    assert.equal(code, 1, `gatehouse ${args.join(' ')}: ${stdout}${stderr}`);
    return stderr;
  }

  const get = async (path: string): Promise<unknown> => (await api().request('GET', path)).body;

  /** `gatehouse install | kubectl apply`, and its control plane at the address of its Service, with the arguments and the account of its Deployment. */
  async function install(revision: string): Promise<void> {
    const objects = await gatehouse('install', '--revision', revision, '--crds', 'none');
    const applied = await api().kubectl(['apply', '--server-side', '-f', '-'], { input: objects });
    assert.equal(applied.code, 0, applied.stderr);
    const name = `gatehouse-${revision}`;
    const own = `/api/v1/namespaces/${NAMESPACE}`;
    const address = String(at(await get(`${own}/services/${name}`), 'spec', 'clusterIP'));
    assert.equal(ip('addr', 'add', `${address}/32`, 'dev', node.bridge).status, 0);
    const container = await get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${name}`);
    const args = at(container, 'spec', 'template', 'spec', 'containers', '0', 'args');
    assert.ok(Array.isArray(args));
    const meshConfig = join(dir, `mesh-${revision}.yaml`);
    writeFileSync(meshConfig, String(at(await get(`${own}/configmaps/${name}`), 'data', 'mesh.yaml')));
    const kubeconfig = await eventually('the account is there', () =>
      api()
        .kubeconfigFor(NAMESPACE, name)
        .catch(() => undefined),
    );
    const serve = new RunningServe(
      args
        .slice(1)
        .map(String)
        .filter((arg) => !ELSEWHERE.test(arg)),
      // A Pod that is made anew has nothing of the one before.
      join(dir, `plane-${revision}-${(made += 1)}`),
      ...['--kubeconfig', kubeconfig, '--system-namespace', NAMESPACE, '--mesh-config', meshConfig],
      ...['--webhook-address', `${address}:443`, '--grpc-address', `${address}:15012`],
    );
    const { http } = await serve.ready();
    planes.set(revision, { serve, http, host: `${address} ${name}.${NAMESPACE}.svc` });
    for (const kind of ['mutating', 'validating'])
      await eventually(`${revision} has the bundle of its ${kind} webhooks`, async () => {
        const configuration = kind === 'mutating' ? `${name}-injector` : `${name}-validator`;
        const found = await get(`/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/${configuration}`);
        return at(found, 'webhooks', '0', 'clientConfig', 'caBundle') === undefined ? undefined : true;
      });
  }

  const manifest = (namespace: string, app: string, name: string): object => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app } },
    spec: {
      serviceAccountName: 'app',
      nodeName: 'n1',
      containers: [{ name: 'app', image: 'app', ports: [{ containerPort: 8080 }] }],
    },
  });

  /** A pod as its kubelet makes it: it is ready when its proxy and its application are. */
  async function start(namespace: string, app: string): Promise<Pod> {
    const number = (made += 1);
    const [name, last] = [`${app}-${number}`, 10 + number];
    await api().apply(manifest(namespace, app, name));
    const hosts = [...planes.values()].map(({ host }) => host);
    const run = await node.run({ namespace, name, last, ready: false, volumes: { hosts } });
    const object = await get(`/api/v1/namespaces/${namespace}/pods/${name}`);
    const pod: Pod = { namespace, app, name, object, run };
    pods.set(name, pod);
    await node
      .proxyAnswers(last)
      .catch((error: unknown) =>
        assert.fail(`${String(error)}\n${run.said}\n${[...planes.values()].map(({ serve }) => serve.errors).join('\n')}`),
      );
    if (app === 'web') run.application(await caller(name));
    else
      run.application(
        `require('node:http').createServer((q, s) => s.end('${name}')).listen(8080, () => console.log('${name} listens'))`,
      );
    if (app !== 'web') await eventually(`${name} listens`, () => (run.said.includes(`${name} listens`) ? true : undefined));
    await node.isReady({ namespace, name, last });
    return pod;
  }

  /** Calls both Services again and again, and writes what it got; ends by itself when it is told to. */
  async function caller(name: string): Promise<string> {
    const urls = [];
    for (const [namespace, service] of [
      ['shop', 'users'],
      ['pay', 'cards'],
    ])
      urls.push(`http://${String(at(await get(`/api/v1/namespaces/${namespace}/services/${service}`), 'spec', 'clusterIP'))}/`);
    const [told, seen] = [join(dir, `${name}.end`), join(dir, `${name}.json`)];
    return `
      const { existsSync, renameSync, writeFileSync } = require('node:fs');
      const seen = { good: 0, failed: [], by: {} };
      (async () => {
        while (!existsSync(${JSON.stringify(told)})) {
          for (const url of ${JSON.stringify(urls)}) {
            try {
              const answer = await fetch(url, { signal: AbortSignal.timeout(20000) });
              const text = await answer.text();
              if (answer.status !== 200) throw new Error(answer.status + ' ' + text);
              seen.good += 1;
              seen.by[text] = (seen.by[text] ?? 0) + 1;
            } catch (error) {
              seen.failed.push(new Date().toISOString() + ' ' + url + ' ' + error + ' ' + (error.cause ?? ''));
            }
          }
          writeFileSync(${JSON.stringify(`${seen}.new`)}, JSON.stringify(seen));
          renameSync(${JSON.stringify(`${seen}.new`)}, ${JSON.stringify(seen)});
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        console.log('no more calls');
      })();`;
  }

  function traffic(): Traffic {
    let [good, failed, by]: [number, string[], Record<string, number>] = [0, [], {}];
    for (const { app, name } of pods.values()) {
      if (app !== 'web') continue;
      let one: Traffic;
      try {
        one = JSON.parse(readFileSync(join(dir, `${name}.json`), 'utf8'));
      } catch {
        continue;
      }
      good += one.good;
      failed = [...failed, ...one.failed];
      for (const [who, times] of Object.entries(one.by)) by = { ...by, [who]: (by[who] ?? 0) + times };
    }
    return { good, failed, by };
  }

  /** So many more calls were answered by now, and none was not. */
  async function goesOn(calls = 50): Promise<void> {
    const before = traffic().good;
    await eventually('calls are answered', () => (traffic().good > before + calls ? true : undefined), 60_000);
    assert.deepEqual(traffic().failed, []);
  }

  /** As a rolling update: the new pod answers before the old one is taken out, and that one ends when nobody calls it any more. */
  async function restart(old: Pod, revision: string): Promise<Pod> {
    const pod = await start(old.namespace, old.app);
    assert.equal(revisionOf(pod), revision);
    await eventually(`${revision} configures ${pod.name}`, async () =>
      (await configuredBy(revision)).includes(`${pod.name}.${pod.namespace}`) ? true : undefined,
    );
    if (old.app === 'web') {
      await eventually('the new one calls', () => {
        try {
          return readFileSync(join(dir, `${pod.name}.json`), 'utf8') === '' ? undefined : true;
        } catch {
          return undefined;
        }
      });
      writeFileSync(join(dir, `${old.name}.end`), '');
      await eventually('the old one has made its last call', () => (old.run.said.includes('no more calls') ? true : undefined));
    } else {
      await eventually(`${pod.name} is called`, () => (traffic().by[pod.name] === undefined ? undefined : true));
      await api().request('PATCH', `/api/v1/namespaces/${old.namespace}/pods/${old.name}/status`, {
        status: { conditions: [{ type: 'Ready', status: 'False' }] },
      });
      let [last, since] = [-1, 0];
      await eventually(`${old.name} is called no more`, () => {
        const now = traffic();
        const times = now.by[old.name] ?? 0;
        if (times !== last) [last, since] = [times, now.good];
        return now.good > since + 60 ? true : undefined;
      });
    }
    await api().kubectl(['delete', 'pod', old.name, '-n', old.namespace, '--grace-period=0', '--force']);
    old.run.stop();
    await goesOn();
    return pod;
  }

  const revisionOf = ({ object }: Pick<Pod, 'object'>): unknown => at(object, 'metadata', 'annotations', 'istio.io/rev');

  /** Which revision a pod that is made now would be injected by. */
  async function injectedBy(namespace: string): Promise<unknown> {
    const { stdout, stderr } = await api().kubectl(['create', '--dry-run=server', '-o', 'json', '-f', '-'], {
      input: JSON.stringify(manifest(namespace, 'trial', 'trial')),
    });
    assert.ok(stdout !== '', stderr);
    return revisionOf({ object: JSON.parse(stdout) });
  }

  /** Pods whose proxies are connected to a revision, as `NAME.NAMESPACE`. */
  async function configuredBy(revision: string): Promise<readonly string[]> {
    const { http } = planes.get(revision) ?? assert.fail(`no ${revision}`);
    const body: unknown = await (await fetch(`http://${http}/debug/syncz`)).json();
    const proxies = at(body, 'proxies');
    return Array.isArray(proxies) ? proxies.map((proxy) => String(at(proxy, 'pod'))) : [];
  }

  const current = (app: string): Pod => [...pods.values()].findLast((pod) => pod.app === app) ?? assert.fail(`no ${app}`);

  async function identities(): Promise<unknown> {
    const metadata = async (path: string): Promise<unknown> => at(await get(path), 'metadata', 'uid');
    return Promise.all([
      metadata(`/api/v1/namespaces/${NAMESPACE}/secrets/gatehouse-ca`),
      metadata('/api/v1/namespaces/shop/configmaps/istio-ca-root-cert'),
      metadata('/api/v1/namespaces/pay/configmaps/gatehouse-ca-root-cert'),
      metadata('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/peerauthentications.security.istio.io'),
    ]);
  }

  it('namespaces name a tag, by either label: their pods are of the revision that it stands for', async () => {
    for (const [namespace, app] of [
      ['shop', 'users'],
      ['pay', 'cards'],
      ['shop', 'web'],
    ] as const)
      assert.equal(revisionOf(await start(namespace, app)), OLD);
    await goesOn();
    assert.deepEqual(JSON.parse(await gatehouse('tag', 'list', '-o', 'json')), [
      { tag: 'prod', revision: OLD, namespaces: ['pay', 'shop'] },
    ]);
  });

  it('configuration that names the tag is judged by its revision', async () => {
    const route = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'VirtualService',
      metadata: { name: 'bad', namespace: 'shop', labels: { 'gatehouse.dev/rev': 'prod' } },
      spec: { hosts: ['users'], http: [{ timeout: 'soon', route: [{ destination: { host: 'users' } }] }] },
    };
    await assert.rejects(api().apply(route), /rev\.validator\.gatehouse\.dev.*timeout/s);
  });

  for (const [from, to] of [
    [OLD, NEW],
    [NEW, OLD],
  ] as const)
    describe(`from ${from} to ${to}`, () => {
      let before: unknown;

      it(`${to} is installed beside ${from}, and nothing changes`, async () => {
        before = await identities();
        await install(to);
        assert.equal(await injectedBy('shop'), from);
        assert.equal(await injectedBy('pay'), from);
        await eventually(
          'both own what they share',
          async () => {
            const owners = at(await get('/api/v1/namespaces/shop/configmaps/istio-ca-root-cert'), 'metadata', 'ownerReferences');
            return Array.isArray(owners) && owners.length === 2 ? true : undefined;
          },
          90_000,
        );
        await goesOn();
      });

      it('one namespace is moved, and its new pods are of the other revision', async () => {
        await api().kubectl(['label', 'namespace', 'pay', 'gatehouse.dev/rev-', `istio.io/rev=${to}`]);
        await eventually('the label is seen', async () => ((await injectedBy('pay')) === to ? true : undefined));
        assert.equal(await injectedBy('shop'), from);
        await restart(current('cards'), to);
        assert.deepEqual((await configuredBy(from)).length, 2);
      });

      it('the tag is moved, and with it the rest', async () => {
        assert.match(await refusal('tag', 'set', 'prod', '--revision', to), /--overwrite/);
        assert.equal(await injectedBy('shop'), from);
        await gatehouse('tag', 'set', 'prod', '--revision', to, '--overwrite');
        await eventually('the tag has moved', async () => ((await injectedBy('shop')) === to ? true : undefined));
        assert.match(await refusal('uninstall', '--revision', from, '--yes'), /2 pods have proxies of revision/);
        await restart(current('users'), to);
        await restart(current('web'), to);
        await api().kubectl(['label', 'namespace', 'pay', 'istio.io/rev-', 'gatehouse.dev/rev=prod']);
        await eventually('the label is seen', async () => ((await injectedBy('pay')) === to ? true : undefined));
      });

      it(`${from} goes without harm to ${to}`, async () => {
        assert.match(await refusal('uninstall', '--revision', to, '--yes'), /tags stand for: prod/);
        assert.match(await gatehouse('uninstall', '--revision', from), /Nothing was deleted/);
        await gatehouse('uninstall', '--revision', from, '--yes');
        // What the Deployment's end means for its Pods.
        await planes.get(from)?.serve.stop();
        planes.delete(from);
        const left = await api().kubectl([
          'get',
          KINDS,
          '-A',
          '-l',
          `gatehouse.dev/revision=${from}`,
          '--no-headers',
          '-o',
          'name',
        ]);
        assert.equal(left.stdout, '');
        await eventually(
          `${to} leads`,
          () => (planes.get(to)?.serve.errors.includes('this replica leads') === true ? true : undefined),
          60_000,
        );
        await eventually(
          'what they shared is of one',
          async () => {
            const owners = at(await get('/api/v1/namespaces/shop/configmaps/istio-ca-root-cert'), 'metadata', 'ownerReferences');
            return Array.isArray(owners) && owners.length === 1 ? true : undefined;
          },
          60_000,
        );
        assert.deepEqual(await identities(), before, 'authority, trust bundles and definitions are the same objects');
        assert.equal(await injectedBy('shop'), to);
        await goesOn();
        assert.doesNotMatch(planes.get(to)?.serve.errors ?? '', /forbidden/i);
      });
    });

  // After the others: mocha runs the tests of a suite before the suites in it.
  describe('at the end', () => {
    it('a tag that is used is not taken away; at the end nothing is left', async () => {
      assert.match(await refusal('tag', 'remove', 'prod'), /pay, shop/);
      assert.deepEqual(traffic().failed, []);
      for (const { run } of pods.values()) run.stop();
      await gatehouse('uninstall', '--purge', '--yes');
      for (const { serve } of planes.values()) await serve.stop();
      await eventually(
        'nothing is left',
        async () => {
          const { stdout } = await api().kubectl(['get', `${KINDS},secrets,leases`, '-A', '--no-headers', '-o', 'name']);
          return /gatehouse|istio-ca-root-cert/.test(stdout) ? undefined : true;
        },
        90_000,
      );
    });
  });
});

const KINDS =
  'serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings,configmaps,deployments,services,poddisruptionbudgets,networkpolicies,mutatingwebhookconfigurations,validatingwebhookconfigurations';
