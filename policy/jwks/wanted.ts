import type { RemoteKeys, RequestAuthentication } from '../../mesh/model/request-authentication.ts';
import type { Snapshot } from '../../mesh/model/snapshot.ts';

function isRemote(source: RequestAuthentication['rules'][number]['keys']): source is RemoteKeys {
  return source.kind !== 'inline';
}

/** The key sources that the mesh fetches from, for all RequestAuthentications of a snapshot. */
export function wantedKeys({ requestAuthentications }: Pick<Snapshot, 'requestAuthentications'>): readonly RemoteKeys[] {
  return requestAuthentications.flatMap(({ rules }) => rules.map(({ keys }) => keys).filter(isRemote));
}
