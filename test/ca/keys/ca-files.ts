import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certified {
  readonly certPem: string;
  readonly keyPem: string;
}

/** A CA certificate made by openssl, so that nothing here is checked against our own code. */
export interface CaOptions {
  readonly name: string;
  readonly issuer?: Certified | undefined;
  /** Lines of an extension section; basicConstraints and keyUsage are there. */
  readonly extensions?: readonly string[];
  readonly pathLength?: number;
  readonly days?: number;
  /** Arguments of openssl genpkey. */
  readonly algorithm?: readonly string[];
}

export function certificateAuthority(options: CaOptions): Certified {
  const dir = mkdtempSync(join(tmpdir(), 'gh-openssl-'));
  const at = (name: string) => join(dir, name);
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  try {
    const length = options.pathLength === undefined ? '' : `,pathlen:${options.pathLength}`;
    const lines = [
      `basicConstraints=critical,CA:TRUE${length}`,
      'keyUsage=critical,keyCertSign,cRLSign',
      'subjectKeyIdentifier=hash',
      ...(options.extensions ?? []),
    ];
    writeFileSync(at('x.cnf'), `[req]\ndistinguished_name=dn\n[dn]\n[v3]\n${lines.join('\n')}\n`);
    run('genpkey', ...(options.algorithm ?? ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']), '-out', at('key.pem'));
    run('req', '-new', '-key', at('key.pem'), '-subj', `/CN=${options.name}`, '-config', at('x.cnf'), '-out', at('x.csr'));
    const signing = ['x509', '-req', '-in', at('x.csr'), '-extfile', at('x.cnf'), '-extensions', 'v3', '-out', at('cert.pem')];
    const days = ['-days', String(options.days ?? 30)];
    if (options.issuer === undefined) run(...signing, ...days, '-signkey', at('key.pem'));
    else {
      writeFileSync(at('ca.pem'), options.issuer.certPem);
      writeFileSync(at('ca.key'), options.issuer.keyPem, { mode: 0o600 });
      run(...signing, ...days, '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial');
    }
    return { certPem: readFileSync(at('cert.pem'), 'utf8'), keyPem: readFileSync(at('key.pem'), 'utf8') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Writes the files of Istio's `cacerts` layout; the chain from the issuing certificate to the root. */
export function writeCacerts(dir: string, [issuing, ...above]: readonly Certified[]): void {
  if (issuing === undefined) throw new Error('no certificate');
  const root = above.at(-1) ?? issuing;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, 'ca-key.pem'), issuing.keyPem, { mode: 0o600 });
  chmodSync(join(dir, 'ca-key.pem'), 0o600);
  writeFileSync(join(dir, 'ca-cert.pem'), issuing.certPem);
  writeFileSync(join(dir, 'cert-chain.pem'), [issuing, ...above].map(({ certPem }) => certPem).join(''));
  writeFileSync(join(dir, 'root-cert.pem'), root.certPem);
}
