// Programs of other projects that tests run: the real servers and linters. All of them are Go modules, fetched and built by the go command.
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Runs `go` with arguments in a folder and with a further environment; throws when it fails. */
export type Go = (args: readonly string[], cwd: string, env?: Readonly<Record<string, string>>) => string;

export type Tool = 'h2spec' | 'helm' | 'pilot-agent' | 'step-ca' | 'vault-pki' | 'zlint';

/** Versions are pinned: a test that fails must mean that we changed. `work` is an empty folder; the program goes to `target`. */
export const RECIPES: Readonly<Record<Tool, (go: Go, work: string, target: string) => void>> = Object.freeze({
  zlint: (go, work, target) => install(go, work, target, 'github.com/zmap/zlint/v3/cmd/zlint@v3.6.8'),
  'step-ca': (go, work, target) => install(go, work, target, 'github.com/smallstep/certificates/cmd/step-ca@v0.30.2'),
  helm: (go, work, target) => install(go, work, target, 'helm.sh/helm/v4/cmd/helm@v4.3.1'),
  h2spec: buildH2spec,
  'vault-pki': buildVault,
  'pilot-agent': buildPilotAgent,
});

function install(go: Go, work: string, target: string, program: string): void {
  go(['install', '-ldflags', '-s -w', program], work, { GOBIN: dirname(target) });
}

/**
 * The newest of its releases that the go command takes. It has no go.mod, so the versions of its libraries are said here: they write the
 * frames.
 */
function buildH2spec(go: Go, work: string, target: string): void {
  const command = 'github.com/summerwind/h2spec/cmd/h2spec';
  writeFileSync(
    join(work, 'go.mod'),
    [
      'module gatehouse.test/h2spec',
      'go 1.26.0',
      'require github.com/summerwind/h2spec v2.2.1+incompatible',
      'require github.com/fatih/color v1.19.0',
      'require github.com/spf13/cobra v1.10.2',
      'require golang.org/x/net v0.62.0',
      '',
    ].join('\n'),
  );
  writeFileSync(join(work, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport _ "${command}"\n`);
  go(['build', '-mod=mod', '-ldflags', '-s -w', '-o', target, command], work);
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

/** Istio of August 2026. Its modules have no tags that the go command takes. */
export const ISTIO = 'istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad';

/** Istio asks for versions of its libraries between releases, which the proxy does not have: the releases next to them are taken. */
function buildPilotAgent(go: Go, work: string, target: string): void {
  const command = 'istio.io/istio/pilot/cmd/pilot-agent';
  writeFileSync(
    join(work, 'go.mod'),
    [
      'module gatehouse.test/pilot-agent',
      'go 1.26.0',
      `require ${ISTIO.replace('@', ' ')}`,
      'replace istio.io/api => istio.io/api v1.31.1',
      'replace istio.io/client-go => istio.io/client-go v1.31.1',
      'replace github.com/envoyproxy/go-control-plane/envoy => github.com/envoyproxy/go-control-plane/envoy v1.40.0',
      'replace github.com/envoyproxy/go-control-plane/contrib => github.com/envoyproxy/go-control-plane/contrib v1.36.1-0.20260729145720-a2d8c7492908',
      '',
    ].join('\n'),
  );
  writeFileSync(join(work, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport _ "${command}"\n`);
  go(['build', '-mod=mod', '-p', '2', '-ldflags', '-s -w', '-tags', 'agent,disable_pgv', '-o', target, command], work);
}

/** Istio's own template of Envoy's bootstrap, which its image has beside the agent; a path. */
export function pilotBootstrap(go: Go, work: string): string {
  const { Dir }: { Dir: string } = JSON.parse(go(['mod', 'download', '-json', ISTIO], work));
  return join(Dir, 'tools', 'packaging', 'common', 'envoy_bootstrap.json');
}
