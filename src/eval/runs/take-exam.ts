/** An exam of any kind: how much there is to ask, the first of it alone, and its figures. */
import type { Exam } from '../data-sets/data-set.ts'
import { choiceRows, groundingRequests, groundingRows } from './cases.ts'
import { classificationRows, taggingRows } from './classes.ts'
import type { Run } from './collect.ts'
import type { ResultRow } from './result.ts'
import { retrievalRows } from './retrieval.ts'

export function takeExam(exam: Exam, run: Run): Promise<ResultRow[]> {
  switch (exam.task) {
    case 'retrieval':
      return retrievalRows(exam, run)
    case 'classification':
      return classificationRows(exam, run)
    case 'tagging':
      return taggingRows(exam, run)
    case 'choice':
      return choiceRows(exam, run)
    case 'grounding':
      return groundingRows(exam, run)
  }
}

/** Answers that are needed, for a progress bar. */
export function answersNeeded(exam: Exam, head: string | undefined): number {
  if (exam.task === 'retrieval') return exam.media.length + exam.texts.length
  if (exam.task === 'choice') return exam.cases.length
  if (exam.task === 'grounding') return groundingRequests(exam)
  return exam.media.length + (head === undefined ? exam.classes.labels.length : 0)
}

/** The first `count` media or cases, for a quick look: its figures are not the data set's. */
export function limited(exam: Exam, count: number): Exam {
  if (exam.task === 'choice') return { ...exam, cases: exam.cases.slice(0, count) }
  if (exam.task === 'grounding') return { ...exam, cases: exam.cases.slice(0, count) }
  if (exam.task === 'classification') return { ...exam, media: exam.media.slice(0, count) }
  if (exam.task === 'tagging') return { ...exam, media: exam.media.slice(0, count) }
  return { ...exam, media: exam.media.slice(0, count), texts: exam.texts.filter(({ of }) => of < count) }
}

/** How it is asked, in words. */
export function settingOf(exam: Exam, head: string | undefined): string {
  if (exam.task === 'retrieval') return 'embeddings'
  if (head !== undefined) return `head ${head}`
  if (exam.task === 'choice' || exam.task === 'grounding') return "the model's head"
  return `zero-shot, "${exam.classes.template}"`
}
