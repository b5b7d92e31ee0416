import type { Kubectl } from '../../kubernetes/kubectl.ts';

/** Whether an account may do something with a kind of objects; without a namespace, in all of them. */
export interface Question {
  verb: string;
  group: string;
  resource: string;
  namespace?: string;
}

/** Asks the API server for each question whether a ServiceAccount may do that, all with one kubectl. */
export async function mayDo(
  kubectl: Kubectl,
  account: { namespace: string; name: string },
  questions: readonly Question[],
): Promise<boolean[]> {
  if (questions.length === 0) return [];
  const { namespace, name } = account;
  const reviews = questions.map((resourceAttributes) => ({
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: `system:serviceaccount:${namespace}:${name}`,
      // What the API server adds to every account's request.
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      resourceAttributes,
    },
  }));
  const args = ['create', '--validate=false', '--output=jsonpath={.status.allowed}{"\\n"}', '--filename=-'];
  const { stdout } = await kubectl.run(args, {
    input: reviews.map((review) => JSON.stringify(review)).join('\n---\n'),
  });
  const answers = stdout.replace(/\n$/, '').split('\n');
  if (answers.length !== questions.length) throw new Error(`${questions.length} questions, ${answers.length} answers`);
  return answers.map((answer) => answer === 'true');
}
