// Programs of other projects that tests run: the real servers and linters. All of them are Go modules, fetched and built by the go command.
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Runs `go` with arguments in a folder and with a further environment; throws when it fails. */
export type Go = (args: readonly string[], cwd: string, env?: Readonly<Record<string, string>>) => string;

export type Tool = 'helm' | 'step-ca' | 'vault-pki' | 'zlint';

/** Versions are pinned: a test that fails must mean that we changed. `work` is an empty folder; the program goes to `target`. */
export const RECIPES: Readonly<Record<Tool, (go: Go, work: string, target: string) => void>> = Object.freeze({
  zlint: (go, work, target) => install(go, work, target, 'github.com/zmap/zlint/v3/cmd/zlint@v3.6.8'),
  'step-ca': (go, work, target) => install(go, work, target, 'github.com/smallstep/certificates/cmd/step-ca@v0.30.2'),
  helm: (go, work, target) => install(go, work, target, 'helm.sh/helm/v4/cmd/helm@v4.3.1'),
  'vault-pki': buildVault,
});

function install(go: Go, work: string, target: string, program: string): void {
  go(['install', '-ldflags', '-s -w', program], work, { GOBIN: dirname(target) });
}

const VAULT = 'v1.21.4';
const SDK = 'v0.21.0';

/**
 * Vault's release has its SDK in its own tree, and the proxy has only tagged ones: the nearest tag differs in one signature, which is
 * put back in a copy.
 */
function buildVault(go: Go, work: string, target: string): void {
  cpSync(join(import.meta.dirname, 'vault-pki', 'main.go'), join(work, 'main.go'));
  writeFileSync(
    join(work, 'go.mod'),
    [
      'module gatehouse.test/vault-pki',
      'go 1.25.3',
      `require github.com/hashicorp/vault ${VAULT}`,
      'require github.com/hashicorp/vault/api v1.22.0',
      `require github.com/hashicorp/vault/sdk ${SDK}`,
      'replace github.com/99designs/keyring => github.com/Jeffail/keyring v1.2.3',
      'replace github.com/ma314smith/signedxml v1.1.1 => github.com/moov-io/signedxml v1.1.1',
      'replace github.com/hashicorp/vault/sdk => ./sdk',
      '',
    ].join('\n'),
  );
  const { Dir }: { Dir: string } = JSON.parse(go(['mod', 'download', '-json', `github.com/hashicorp/vault/sdk@${SDK}`], work));
  mkdirSync(join(work, 'sdk'));
  cpSync(Dir, join(work, 'sdk'), { recursive: true });
  const backend = join(work, 'sdk', 'framework', 'backend.go');
  // Modules in Go's cache are read-only, and so is a copy of them.
  chmodSync(dirname(backend), 0o755);
  chmodSync(backend, 0o644);
  writeFileSync(
    backend,
    readFileSync(backend, 'utf8').replace(
      'ActivationFunc func(context.Context, *logical.Request, string) error',
      'ActivationFunc func(context.Context, *logical.Request) error',
    ),
  );
  go(['build', '-mod=mod', '-ldflags', '-s -w', '-o', target, '.'], work);
}
