// The Dockerfile, built as it stands, and its images run as their users.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root, tracked } from '../../house/repository.ts';
import { Buildah, makeBaseImage } from './base-image.ts';

const CLI = ['node', '--disable-warning=ExperimentalWarning', '/opt/gatehouse/dist/cli/main.js'];

const has = (command: string): boolean => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

describe('the images', () => {
  let dir = '';
  let buildah = new Buildah('');
  const containers: Record<string, string> = {};

  before(function () {
    this.timeout(1_200_000);
    // Their packages are among those that setup/system-packages.sh installs for root.
    if (process.getuid?.() !== 0 || !has('buildah') || !has('debootstrap')) {
      assert.ok(process.env['CI'] === undefined || process.getuid?.() !== 0, 'buildah and debootstrap are missing');
      this.skip();
    }
    dir = mkdtempSync(join(tmpdir(), 'gh-images-'));
    buildah = new Buildah(dir);
    const base = join(dir, 'base');
    mkdirSync(base);
    makeBaseImage(buildah, base);
    // What is tracked, as a clone would have it, with what was changed here.
    const context = join(dir, 'context');
    mkdirSync(context);
    execFileSync('tar', ['--null', '-T', '-', '-cf', join(dir, 'context.tar')], { cwd: root, input: tracked.join('\0') });
    execFileSync('tar', ['-xf', join(dir, 'context.tar'), '-C', context]);
    for (const target of ['control-plane', 'proxy']) {
      buildah.build(target, context);
      containers[target] = buildah.run('from', `localhost/${target}`).trim();
    }
  });

  after(function () {
    this.timeout(120_000);
    if (dir !== '') buildah.remove();
  });

  const run = (target: string, ...command: string[]): string => buildah.run('run', containers[target] ?? '', '--', ...command);

  for (const [target, user] of [
    ['control-plane', '65532'],
    ['proxy', '1337'],
  ] as const) {
    it(`${target} runs as user ${user}, who can change nothing of the program`, () => {
      assert.equal(run(target, 'id', '-u').trim(), user);
      const written = buildah.attempt('run', containers[target] ?? '', '--', 'touch', '/opt/gatehouse/dist/cli/main.js');
      assert.match(written.stderr, /Permission denied/);
    });

    it(`${target} has what the program needs, and no compiler or test tool`, () => {
      const packages = run(target, 'ls', '/opt/gatehouse/node_modules').split('\n');
      assert.ok(packages.includes('pino'));
      for (const absent of ['typescript', 'mocha', 'oxlint', 'fast-check']) assert.ok(!packages.includes(absent), absent);
    });

    it(`${target} has no file that anybody may write`, () =>
      assert.equal(run(target, 'find', '/opt/gatehouse', '/usr/local', '-xdev', '-type', 'f', '-perm', '-o+w').trim(), ''));
  }

  it('control-plane prints what installs it', () => {
    const { items }: { readonly items: readonly unknown[] } = JSON.parse(
      run('control-plane', ...CLI, 'install', '--crds', 'own', '-o', 'json'),
    );
    assert.ok(items.length > 10);
  });

  it('control-plane serves on a disk of its own', () => {
    const state = '/tmp/gatehouse';
    // --help alone would load nothing of the server.
    const script = `mkdir -p ${state}/mesh && ${CLI.join(' ')} serve -f ${state}/mesh --ca-dir ${state}/ca --audit-db ${state}/audit.db \
      --grpc-address 127.0.0.1:0 --http-address 127.0.0.1:0 > ${state}/ready & server=$!
      for _ in $(seq 300); do [ -s ${state}/ready ] && break; sleep 0.1; done
      cat ${state}/ready; stat -c %a ${state}/ca/*key*; kill $server; wait $server`;
    const printed = run('control-plane', 'sh', '-c', script);
    assert.match(printed, /"grpc/);
    assert.match(printed, /^600$/m);
  }).timeout(60_000);

  it('proxy has Envoy and the means to capture traffic', () => {
    assert.match(run('proxy', 'envoy', '--version'), /\d+\.\d+\.\d+/);
    assert.match(run('proxy', 'iptables-restore', '--version'), /iptables/);
    assert.match(run('proxy', 'ip', '-V'), /iproute2/);
    assert.match(run('proxy', 'gatehouse', 'agent', '--help'), /certificates/);
  });
});
