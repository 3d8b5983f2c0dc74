import { X509Certificate } from 'node:crypto';
import type { Command } from 'commander';
import { joinTokenFolder, type JoinTokenStore } from '../../ca/authenticate/join-token-folder.ts';
import { AuthorityError } from '../../ca/root/error.ts';
import { folderAt } from '../../ca/root/folder.ts';
import { loadRoot } from '../../ca/root/load.ts';
import { kubeconfigOptions, openCluster, systemNamespaceOption } from '../serve/cluster-options.ts';
import { caDir } from './folder-command.ts';

export interface PlaceFlags {
  readonly caDir?: string;
  readonly kubernetes?: true;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly systemNamespace?: string;
}

/** Where join tokens are: in an authority's folder, or in a cluster, where all replicas take them. */
export interface TokenPlace {
  readonly store: JoinTokenStore;
  /** The names in the authority's certificate, which say its trust domain. */
  readonly authorityNames: () => Promise<string>;
  close(): void;
}

export function addPlaceOptions(command: Command): Command {
  command
    .addOption(caDir().makeOptionMandatory(false))
    .option('--kubernetes', 'the tokens of a control plane in a cluster, good once at whichever replica');
  for (const option of kubeconfigOptions()) command.addOption(option);
  return command.addOption(systemNamespaceOption());
}

/** @throws AuthorityError for flags that say no place */
export async function openTokenPlace({ caDir: dir, kubernetes, ...flags }: PlaceFlags): Promise<TokenPlace> {
  if ((dir !== undefined) === (kubernetes === true)) throw new AuthorityError('give --ca-dir DIR or --kubernetes, one of them');
  if (dir !== undefined) {
    const folder = folderAt(dir);
    return {
      store: joinTokenFolder(folder.joinTokens),
      authorityNames: async () => (await loadRoot(folder)).issuer.certificate.subjectAltName ?? '',
      close: () => undefined,
    };
  }
  const { client, systemNamespace } = await openCluster({
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    systemNamespace: flags.systemNamespace,
    clusterRole: undefined,
  });
  const [{ sharedJoinTokens }, { BUNDLE_KEY }, { textAt }] = await Promise.all([
    import('../../kubernetes/authority/join-tokens.ts'),
    import('../../kubernetes/authority/trust-bundle.ts'),
    import('../../kubernetes/api/json.ts'),
  ]);
  return {
    store: sharedJoinTokens(client, systemNamespace),
    async authorityNames() {
      const path = `/api/v1/namespaces/${systemNamespace}/configmaps/gatehouse-ca-root-cert`;
      const found: unknown = await client.request({ path });
      return new X509Certificate(textAt(found, 'data', BUNDLE_KEY)).subjectAltName ?? '';
    },
    close: () => client.close(),
  };
}
