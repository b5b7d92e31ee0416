import type { Command } from '../command.ts';

export const dashboardsCommand: Command = {
  name: 'dashboards',
  summary: "Compare Grafana's dashboards with their files, and pull them into those.",
  description: [
    'list says of each dashboard whether its file and Grafana agree, and which of them was changed. pull writes what was',
    'saved in Grafana into the files, in an order of fields that is always the same, so that git diff shows what was changed',
    'and nothing else; a dashboard that was made in Grafana becomes a new file. What is not pulled is lost when the pod of',
    "Grafana is replaced. diff shows what pull would change, and ends with 1 if that is something. Without a dashboard's uid,",
    'all are meant.',
  ].join('\n'),
  flags: {
    'dry-run': { type: 'boolean', description: 'Only say what pull would write.' },
    force: {
      type: 'boolean',
      typedOnly: true,
      description: 'Have pull replace what was changed in a file as well, and is not committed.',
    },
    json: { type: 'boolean', description: 'Print what list or pull says as JSON.' },
  },
  words: ['list', 'pull', 'diff'],
  more: 'uid',
  examples: ['npm run dashboards', 'npm run dashboards -- pull', 'npm run dashboards -- diff platform-overview'],
  run: async (invocation) => (await import('../dashboards.ts')).runDashboards(invocation),
};
