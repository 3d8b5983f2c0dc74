// A Debian with this run's Node and npm, made on this machine: what `node:24-bookworm-slim` is where a registry of images can be had.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

export const BASE = 'localhost/base';

/** Roots that the machine trusts: registries of packages may be behind a proxy of its own. */
const TRUSTED = '/etc/ssl/certs/ca-certificates.crt';

/** Images are kept in a folder of the test; `RUN` is a chroot, which needs no engine. */
export class Buildah {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws Error with what buildah printed */
  run(...args: string[]): string {
    const done = this.attempt(...args);
    if (done.status === 0) return done.stdout;
    throw new Error(`buildah ${args.join(' ')}: exit ${done.status}\n${done.stdout.slice(-4000)}${done.stderr.slice(-4000)}`);
  }

  attempt(...args: string[]): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
    const stores = ['--root', join(this.#dir, 'images'), '--runroot', join(this.#dir, 'running')];
    return spawnSync('buildah', [...stores, ...args], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, BUILDAH_ISOLATION: 'chroot' },
    });
  }

  /** Takes everything away, mounts of builds that failed included. */
  remove(): void {
    this.attempt('rm', '--all');
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' ')[1] ?? '');
    for (const mount of mounts.filter((path) => path.startsWith(`${this.#dir}/`)).reverse()) spawnSync('umount', [mount]);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  build(target: string, context: string): void {
    this.run(
      'build',
      '--network',
      'host',
      '--layers',
      '--build-arg',
      `NODE_IMAGE=${BASE}`,
      '--target',
      target,
      '-t',
      target,
      context,
    );
  }
}

export function makeBaseImage(buildah: Buildah, dir: string): void {
  const rootfs = join(dir, 'rootfs');
  must('debootstrap', '--variant=minbase', '--include=ca-certificates', 'bookworm', rootfs);
  copyFileSync(process.execPath, join(rootfs, 'usr', 'local', 'bin', 'node'));
  const npm = dirname(dirname(realpathSync(must('sh', '-c', 'command -v npm').trim())));
  const modules = join(rootfs, 'usr', 'local', 'lib', 'node_modules');
  mkdirSync(modules, { recursive: true });
  cpSync(npm, join(modules, 'npm'), { recursive: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(rootfs, 'usr', 'local', 'bin', 'npm'));
  if (existsSync(TRUSTED)) copyFileSync(TRUSTED, join(rootfs, TRUSTED));
  writeFileSync(join(dir, 'Dockerfile'), `FROM scratch\nCOPY rootfs /\nENV NODE_EXTRA_CA_CERTS=${TRUSTED} PIP_CERT=${TRUSTED}\n`);
  buildah.run('build', '-t', BASE, dir);
  rmSync(rootfs, { recursive: true });
}

function must(command: string, ...args: string[]): string {
  const done = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (done.status === 0) return done.stdout;
  throw new Error(`${command}: exit ${done.status}\n${done.stdout.slice(-2000)}${done.stderr.slice(-2000)}`);
}
