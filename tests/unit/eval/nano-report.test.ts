import { describe, expect, it } from 'vitest'
import { proportion, recalls } from '../../../src/eval/metrics.ts'
import { asText, type BenchmarkReport, ReportError, tasksOf, withReport } from '../../../src/eval/nano/report.ts'

const CARD =
  '# Card\n\n<!-- onepeace eval nano: begin (made by the command; do not edit) -->\nyesterday’s\n<!-- onepeace eval nano: end -->\n\n## Speed\n'

const report: BenchmarkReport = {
  model: { name: 'nano', sha256: 'abcdef0123456789' },
  rows: [
    { task: 'text → image', setting: '100 names', trials: 4, figures: recalls([1, 5, 10], [0, 3, 7, 50], 100) },
    { task: 'text → image', part: 'easy', setting: '', trials: 1, figures: recalls([1, 5, 10], [0], 100) },
    { task: 'questions', setting: 'scenes', trials: 8, figures: [proportion('accuracy', 6, 8, 0.25)] },
  ],
  notMeasured: [{ task: 'sounds: events', reason: 'there is no folder.' }],
}

describe('the report', () => {
  it('replaces what is between the markers of a model card, and only that', () => {
    const card = withReport(CARD, report)
    expect(card.startsWith('# Card\n\n<!-- onepeace eval nano: begin')).toBe(true)
    expect(card.endsWith('<!-- onepeace eval nano: end -->\n\n## Speed\n')).toBe(true)
    expect(card).not.toContain('yesterday')
    expect(withReport(card, report)).toBe(card)
    expect(() => withReport('# Card', report)).toThrow(ReportError)
  })

  it('gives every figure its interval and chance, in the card as on the terminal', () => {
    const card = withReport(CARD, report)
    expect(card).toContain(
      '| **text → image** | 100 names | 4 | 25.0 % (4.6–69.9) | 50.0 % (15.0–85.0) | 75.0 % (30.1–95.4) | 1.0 / 5.0 / 10.0 |',
    )
    expect(card).toContain('| **questions** | scenes | 8 | accuracy | 75.0 % (40.9–92.9) | 25.0 % |')
    expect(asText(report)).toContain('accuracy    75.0 %   95 %: 40.9 to 92.9 %   chance 25.0 %')
    expect(asText(report)).toContain('NOT MEASURED  sounds: events: there is no folder.')
  })

  it('shows the pictures that were drawn with it', () => {
    const card = withReport(CARD, report, [{ path: 'nano/map.png', alt: 'The space' }])
    expect(card).toContain('![The space](nano/map.png)')
  })

  it('can be read for its tasks, those that were not measured among them', () => {
    expect(tasksOf(withReport(CARD, report))).toEqual(['text → image', 'questions', 'sounds: events'])
  })
})
