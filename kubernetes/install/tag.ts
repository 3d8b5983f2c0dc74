import { type Parsed, parsed, refused } from '../../ca/identity/parsed.ts';
import { instanceName, tagName } from './names.ts';
import type { KubernetesObject } from './object.ts';
import { checkInstall, DEFAULTS, type InstallOptions } from './options.ts';
import { callService, type CallPath, injectorNamed, validatorNamed } from './webhooks.ts';

/** A name for a revision, by which namespaces need not be labelled anew when it moves. */
export interface Tag {
  readonly name: string;
  readonly revision: string;
  /** Where the control planes run. */
  readonly namespace: string;
}

/** What marks an object as that of a tag. Istio's labels are what its own tools look for. */
export const TAG_LABEL = 'gatehouse.dev/tag';
export const REVISION_LABEL = 'gatehouse.dev/revision';

/** @param reason refused as a revision of this name would be, since both stand in the same labels and names */
export function checkTag(tag: Tag): Parsed<Tag> {
  const revision = checkInstall({ ...DEFAULTS, namespace: tag.namespace, revision: tag.revision });
  if (!revision.ok) return revision;
  const name = checkInstall({ ...DEFAULTS, revision: tag.name });
  if (!name.ok) return refused(name.reason.replace('--revision', 'the tag'));
  if (tag.name === tag.revision) return refused('a tag has another name than its revision');
  return parsed(tag);
}

/**
 * All objects of a tag: webhooks that send to its revision what names the tag, and the right of that revision to keep their certificate bundle,
 * which a revision has for its own webhooks alone.
 * @param call how its revision is called; by its Service if absent
 */
export function tagObjects({ name, revision, namespace }: Tag, call?: CallPath): readonly KubernetesObject[] {
  const options: InstallOptions = { ...DEFAULTS, namespace, revision };
  const object = tagName({ tag: name, namespace });
  const labels = {
    app: 'gatehouse',
    [REVISION_LABEL]: revision,
    [TAG_LABEL]: name,
    'istio.io/rev': revision,
    'istio.io/tag': name,
    'app.kubernetes.io/part-of': 'gatehouse',
  };
  const named = { object, labels, answersTo: name, namespace, call: call ?? callService(options) };
  const group = 'rbac.authorization.k8s.io';
  const apiVersion = `${group}/v1`;
  return [
    {
      apiVersion,
      kind: 'ClusterRole',
      metadata: { name: object, labels },
      rules: [
        {
          apiGroups: ['admissionregistration.k8s.io'],
          resources: ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'],
          resourceNames: [object],
          verbs: ['patch', 'update'],
        },
      ],
    },
    {
      apiVersion,
      kind: 'ClusterRoleBinding',
      metadata: { name: object, labels },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: object },
      subjects: [{ kind: 'ServiceAccount', name: instanceName({ revision }), namespace }],
    },
    injectorNamed(named),
    validatorNamed(named),
  ];
}
