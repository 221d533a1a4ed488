/** Fenced blocks of a Markdown page, with what the comment above each says of it; and what comments say of the page. */

export interface Block {
  /** `sh`, `ts`, `python`, `json`, … */
  language: string
  text: string
  /** Of the fence, from 1. */
  line: number
  /** Why it is not run, if it is not. */
  notRun?: string
  /** A comment, which no reader sees. */
  isHidden?: true
}

export interface PageNotes {
  /** Why the page has nothing to run, if it says so. */
  nothingToRun?: string
  /** Flags of `onepeace serve` that its service is started with. */
  serve: string[]
}

const FENCE = /^(?<indent> *)```(?<language>\w*)[^\n]*\n(?<text>[\s\S]*?)^\k<indent>```$/gm
const NOT_RUN = /<!-- not run: (?<reason>[^>]+?) -->\s*$/
const HIDDEN = /^<!-- (?<language>sh|ts|python): (?<text>[\s\S]*?) -->$/gm
const NOTHING = /^<!-- nothing to run: (?<reason>[^>]+?) -->$/m
const SERVE = /^<!-- serve: (?<flags>.+?) -->$/m

export function blocksOf(page: string): Block[] {
  const lineAt = (offset: number) => page.slice(0, offset).split('\n').length
  const fenced = [...page.matchAll(FENCE)].map((match): Block => {
    const { indent, language, text } = match.groups!
    const reason = NOT_RUN.exec(page.slice(0, match.index))?.groups?.reason
    const unindented = text!.replaceAll(new RegExp(`^${indent}`, 'gm'), '')
    return {
      language: language!,
      text: unindented,
      line: lineAt(match.index),
      ...(reason !== undefined && { notRun: reason }),
    }
  })
  const hidden = [...page.matchAll(HIDDEN)].map((match): Block => {
    const { language, text } = match.groups!
    return { language: language!, text: `${text}\n`, line: lineAt(match.index), isHidden: true }
  })
  return [...fenced, ...hidden].sort((a, b) => a.line - b.line)
}

export function notesOf(page: string): PageNotes {
  const nothingToRun = NOTHING.exec(page)?.groups?.reason
  const serve = SERVE.exec(page)?.groups?.flags?.split(' ') ?? []
  return { serve, ...(nothingToRun !== undefined && { nothingToRun }) }
}
