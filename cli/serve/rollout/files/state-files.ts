import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeAtomically } from '../../../../ca/root/atomic.ts';
import { isNamespaceName, parseRecord, RECORD_VERSION, recordText, versionOfRecord } from '../../../../policy/rollout/record.ts';
import type { RolloutState, RolloutStates } from '../../../../policy/rollout/ports.ts';

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export function rolloutsFolder(caDir: string): string {
  return join(caDir, 'rollouts');
}

/** Records as `NAMESPACE.json` in a folder, each replaced as a whole. One writer: who holds the authority's folder. */
export function stateFiles(folder: string): RolloutStates {
  const fileOf = (namespace: string): string => {
    if (!isNamespaceName(namespace)) throw new Error(`${namespace} is no name of a namespace`);
    return join(folder, `${namespace}.json`);
  };
  return {
    async load(namespace) {
      const path = fileOf(namespace);
      let text: string;
      try {
        text = await readFile(path, 'utf8');
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return undefined;
        throw new Error(`${path} cannot be read (${reasonOf(error)}); let the user of the control plane read it`, {
          cause: error,
        });
      }
      const version = versionOfRecord(text);
      if (version > RECORD_VERSION)
        throw new Error(
          `${path} was written by a newer version of gatehouse (state ${version}; this one knows ${RECORD_VERSION}); nothing is changed in ` +
            `${namespace} until gatehouse is updated again, or the file is restored from a backup of before`,
        );
      const record = parseRecord(text);
      if (record?.namespace !== namespace)
        throw new Error(
          `${path} cannot be read as the state of a rollout; nothing is changed in ${namespace} until it is restored from a backup, or moved ` +
            'away (the rollout then begins from the objects that are there)',
        );
      return record;
    },
    async save(record) {
      const path = fileOf(record.namespace);
      try {
        if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(join(folder, '..'));
        await writeAtomically(path, recordText(record), 0o600);
      } catch (error) {
        throw new Error(`${path} cannot be written (${reasonOf(error)}); ${adviceOn(error)}`, { cause: error });
      }
    },
  };
}

/** Keeps revisions in order within one process: a save that is not the next one is a mistake of ours, and is not written. */
export function inOrder(states: RolloutStates): RolloutStates {
  const known = new Map<string, number>();
  return {
    async load(namespace) {
      const record = await states.load(namespace);
      known.set(namespace, record?.revision ?? 0);
      return record;
    },
    async save(record: RolloutState) {
      const before = known.get(record.namespace);
      if (before !== undefined && record.revision !== before + 1)
        throw new Error(`the state of ${record.namespace} is at revision ${before}, and ${record.revision} does not follow`);
      await states.save(record);
      known.set(record.namespace, record.revision);
    },
  };
}

export function reasonOf(error: unknown): string {
  return codeOf(error) ?? (error instanceof Error ? error.message : String(error));
}

export function adviceOn(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'free some of the disk; what was there stays, and it is tried again';
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return 'let the user of the control plane write there; what was there stays, and it is tried again';
    default:
      return 'what was there stays, and it is tried again';
  }
}
