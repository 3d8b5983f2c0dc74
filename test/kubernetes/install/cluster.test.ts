// The installation as people make it, in a real API server: kubectl, kustomize, Helm; and what its account may do there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringify } from 'yaml';
import { CONFIGURATION } from '../../../kubernetes/install/access.ts';
import { installObjects } from '../../../kubernetes/install/objects.ts';
import { nodeAgentObjects } from '../../../kubernetes/install/node-agent.ts';
import { DEFAULTS, type InstallOptions } from '../../../kubernetes/install/options.ts';
import { MAIN } from '../../cli/running-serve.ts';
import { eventually } from '../../eventually.ts';
import { root } from '../../house/repository.ts';
import { findTool } from '../../tools/find.ts';
import { withApiServer } from '../api-server.ts';

const NAMESPACE = 'gatehouse-system';
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:gatehouse`;

/** Kinds that an installation has objects of, as kubectl lists them. */
const KINDS =
  'serviceaccounts,clusterroles,clusterrolebindings,roles,rolebindings,configmaps,deployments,services,poddisruptionbudgets,networkpolicies,mutatingwebhookconfigurations,validatingwebhookconfigurations';

const yaml = (options: Partial<InstallOptions> = {}): string =>
  installObjects({ ...DEFAULTS, crds: 'none', ...options }, [])
    .map((object) => stringify(object))
    .join('---\n');

const stringifyAll = (objects: readonly object[]): string => objects.map((object) => stringify(object)).join('---\n');

describe('an installation in a cluster', function () {
  this.timeout(120_000);
  const api = withApiServer();

  async function kubectl(args: readonly string[], input = ''): Promise<string> {
    const { code, stdout, stderr } = await api().kubectl(args, { input });
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Objects of ours, wherever they are. */
  async function left(): Promise<readonly string[]> {
    const found = await kubectl(['get', KINDS, '-A', '-l', 'app.kubernetes.io/part-of=gatehouse', '--no-headers', '-o', 'name']);
    return found.split('\n').filter((line) => line !== '');
  }

  it('is applied by kubectl, and again without a change', async () => {
    await kubectl(['apply', '--server-side', '-f', '-'], yaml());
    const generation = (): Promise<string> =>
      kubectl(['get', 'deployment', 'gatehouse', '-n', NAMESPACE, '-o', 'jsonpath={.metadata.generation}']);
    const before = await generation();
    await kubectl(['apply', '--server-side', '-f', '-'], yaml());
    assert.equal(await generation(), before);
    assert.ok((await left()).length >= 11);
  });

  it('has pods that a restricted namespace takes', async function () {
    if (!api().hasControllers) return this.skip();
    await eventually('both pods are there', async () => {
      const pods = await kubectl(['get', 'pods', '-n', NAMESPACE, '-l', 'app=gatehouse', '-o', 'name']);
      return pods.trim().split('\n').length === 2 ? true : undefined;
    });
  });

  for (const [allowed, verb, what, namespace] of [
    [true, 'watch', 'pods', 'shop'],
    [true, 'list', 'endpointslices.discovery.k8s.io', 'shop'],
    [true, 'create', 'tokenreviews.authentication.k8s.io', undefined],
    [true, 'update', 'configmaps/istio-ca-root-cert', 'shop'],
    [true, 'update', 'leases.coordination.k8s.io', NAMESPACE],
    [true, 'get', 'secrets', NAMESPACE],
    [true, 'patch', 'mutatingwebhookconfigurations.admissionregistration.k8s.io/gatehouse-injector', undefined],
    [false, 'get', 'secrets', 'shop'],
    [false, 'list', 'secrets', 'kube-system'],
    [false, 'update', 'configmaps/other', 'shop'],
    [false, 'delete', 'configmaps', 'shop'],
    [false, 'create', 'pods', 'shop'],
    [false, 'update', 'leases.coordination.k8s.io', 'shop'],
    [false, 'patch', 'mutatingwebhookconfigurations.admissionregistration.k8s.io/other', undefined],
    [false, 'create', 'clusterroles.rbac.authorization.k8s.io', undefined],
    [false, 'impersonate', 'serviceaccounts', 'shop'],
  ] as const)
    it(`${allowed ? 'may' : 'may not'} ${verb} ${what}${namespace === undefined ? '' : ` in ${namespace}`}`, async () => {
      const where = namespace === undefined ? [] : ['-n', namespace];
      const { stdout } = await api().kubectl(['auth', 'can-i', verb, what, `--as=${ACCOUNT}`, ...where]);
      assert.equal(stdout.trim(), allowed ? 'yes' : 'no');
    });

  it('leaves Secrets to the gateways: one reads those of its own namespace, the control plane none of them', async () => {
    await kubectl(['create', 'namespace', 'edge']);
    await kubectl(['apply', '--server-side', '-f', '-'], yaml({ gateways: [{ namespace: 'edge', name: 'way-in' }] }));
    const may = async (who: string, namespace: string): Promise<string> =>
      (await api().kubectl(['auth', 'can-i', 'watch', 'secrets', `--as=${who}`, '-n', namespace])).stdout.trim();
    const gateway = 'system:serviceaccount:edge:way-in';
    assert.deepEqual(
      [await may(gateway, 'edge'), await may(gateway, 'default'), await may(gateway, NAMESPACE), await may(ACCOUNT, 'edge')],
      ['yes', 'no', 'no', 'no'],
    );
    await kubectl(['delete', 'all,sa,pdb', '-n', 'edge', '-l', 'app=way-in']);
  });

  it('beside a second revision, which goes without a trace', async () => {
    const before = await left();
    await kubectl(['apply', '--server-side', '-f', '-'], yaml({ revision: 'canary' }));
    assert.ok((await left()).includes('deployment.apps/gatehouse-canary'));
    await kubectl(['delete', '--ignore-not-found', '-f', '-'], yaml({ revision: 'canary' }));
    assert.deepEqual(await left(), before);
  });

  it('with a node agent, by kustomize as by the command; its namespace takes the privileged pod, and its account may do nothing', async () => {
    await kubectl(['apply', '--server-side', '-f', '-'], yaml({ nodeAgent: true }));
    const folder = join(root, 'manifests', 'kustomize', 'node-agent');
    const added = (await kubectl(['kustomize', folder]))
      .split('\n---\n')
      .filter((text) => /gatehouse-node|gatehouse-system-node/.test(text));
    assert.equal(added.length, 4);
    assert.equal(await kubectl(['diff', '--server-side', '--force-conflicts', '-f', '-'], added.join('\n---\n')), '');
    const driver = await kubectl([
      'get',
      'csidriver',
      'csi.gatehouse.dev',
      '-o',
      'jsonpath={.spec.podInfoOnMount} {.spec.tokenRequests[0].audience}',
    ]);
    assert.equal(driver, 'true istio-ca');
    const pod = (
      await kubectl(['get', 'daemonset', 'gatehouse-node', '-n', `${NAMESPACE}-node`, '-o', 'jsonpath={.spec.template.spec}'])
    ).trim();
    const made = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'try', namespace: `${NAMESPACE}-node` },
      spec: JSON.parse(pod) as unknown,
    };
    if (api().hasControllers) await kubectl(['create', '--dry-run=server', '-f', '-'], JSON.stringify(made));
    const account = `system:serviceaccount:${NAMESPACE}-node:gatehouse-node`;
    for (const [verb, what] of [
      ['get', 'secrets'],
      ['list', 'pods'],
      ['create', 'tokenreviews.authentication.k8s.io'],
    ] as const)
      assert.equal((await api().kubectl(['auth', 'can-i', verb, what, `--as=${account}`, '-A'])).stdout.trim(), 'no');
    await kubectl(['delete', '-f', '-'], stringifyAll(nodeAgentObjects(DEFAULTS)));
  });

  it('is the same when kustomize makes it', async () => {
    await kubectl(['delete', 'role,rolebinding', '-n', 'edge', 'gatehouse-secrets']);
    const applied = await kubectl([
      'diff',
      '-k',
      join(root, 'manifests', 'kustomize', 'base'),
      '--server-side',
      '--force-conflicts',
    ]);
    assert.equal(applied, '');
  });

  it('leaves nothing when it is deleted', async () => {
    await kubectl(['delete', '--ignore-not-found', '-f', '-'], yaml());
    assert.deepEqual(await left(), []);
    await eventually(
      'the namespace is gone',
      async () => ((await api().kubectl(['get', 'namespace', NAMESPACE])).code === 0 ? undefined : true),
      60_000,
    );
  });

  it('brings every definition that it reads', async function () {
    // Made by the build, where Go is there.
    if (!existsSync(join(root, 'gen', 'crds')) && process.env['CI'] === undefined) return this.skip();
    const { stdout } = await promisify(execFile)(process.execPath, [...MAIN, 'install'], { maxBuffer: 64 * 1024 * 1024 });
    await kubectl(['apply', '--server-side', '-f', '-'], stdout);
    // Of a rollout the definition comes with the rollout.
    const wanted = Object.entries(CONFIGURATION)
      .flatMap(([group, names]) => names.map((name) => `${name}.${group}`))
      .filter((name) => name !== 'namespacerollouts.gatehouse.dev');
    await eventually('all are served', async () => {
      const served = (await kubectl(['api-resources', '--no-headers', '-o', 'name'])).split('\n');
      return wanted.every((name) => served.includes(name)) ? true : undefined;
    });
    await kubectl(['delete', '--ignore-not-found', '-f', '-'], stdout);
    assert.equal((await kubectl(['get', 'crds', '--no-headers', '-o', 'name'])).trim(), '');
  });

  it('comes and goes with Helm', async function () {
    const helm = findTool('helm');
    if (helm === undefined) return this.skip();
    const run = (...args: string[]) =>
      promisify(execFile)(helm, [...args, '--namespace', NAMESPACE, '--kubeconfig', api().kubeconfig], { encoding: 'utf8' });
    const { stdout } = await run(
      'install',
      'gatehouse',
      join(root, 'manifests', 'charts', 'gatehouse'),
      '--create-namespace',
      '--skip-crds',
    );
    assert.match(stdout, /istio-injection=enabled/);
    assert.ok((await left()).includes('deployment.apps/gatehouse'));
    await run('upgrade', 'gatehouse', join(root, 'manifests', 'charts', 'gatehouse'), '--set', 'replicas=3');
    assert.equal(await kubectl(['get', 'deployment', 'gatehouse', '-n', NAMESPACE, '-o', 'jsonpath={.spec.replicas}']), '3');
    await run('uninstall', 'gatehouse');
    assert.deepEqual(await left(), []);
  });
});
