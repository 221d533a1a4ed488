/** `onepeace completion`: a script that teaches a shell the commands and flags of this program. */
import type { Command } from 'commander'
import { ConfigError } from '../config.ts'

interface Known {
  /** `serve`, or `keys create`; empty for the program itself. */
  path: string
  summary: string
  /** Commands below it. */
  commands: Known[]
  flags: { name: string; description: string }[]
}

const SCRIPTS: Record<string, (root: Known) => string> = { bash, zsh, fish }

/** @throws ConfigError if there is no such shell */
export function completion(shell: string, program: Command): string {
  const script = SCRIPTS[shell]
  if (script === undefined) throw new ConfigError(`There is no completion for '${shell}', but for bash, zsh and fish.`)
  return script(knownOf(program, ''))
}

function knownOf(command: Command, path: string): Known {
  return {
    path,
    summary: command.summary() || command.description(),
    commands: command.commands.map((each) => knownOf(each, `${path} ${each.name()}`.trim())),
    flags: [...command.options, ...(path === '' ? [] : [HELP])].map(({ long, description }) => ({
      name: long!,
      description,
    })),
  }
}

const HELP = { long: '--help', description: 'show help' }

function allBelow({ commands }: Known): Known[] {
  return commands.flatMap((command) => [command, ...allBelow(command)])
}

const nameOf = ({ path }: Known): string => path.split(' ').at(-1)!

/** What is no command or flag may be a file. */
function bash(root: Known): string {
  const cases = [root, ...allBelow(root)].map(({ path, commands, flags }) => {
    const words = [...commands.map(nameOf), ...flags.map(({ name }) => name)].join(' ')
    return `    '${path}') words='${words}' ;;`
  })
  const paths = allBelow(root).map(({ path }) => `'${path}'`)
  return `# bash completion of onepeace; put it into ~/.bashrc: eval "$(onepeace completion bash)"
_onepeace() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
    ${paths.join(' | ')}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ "$current" != -* && -n "$path" ]] && COMPREPLY+=($(compgen -f -- "$current"))
}
complete -o filenames -o bashdefault -F _onepeace onepeace
`
}

function zsh(root: Known): string {
  const described = (name: string, text: string) => quoted(`${name.replaceAll(':', '\\:')}:${text}`)
  const cases = [root, ...allBelow(root)].map(({ path, commands, flags }) => {
    const all = [
      ...commands.map((command) => described(nameOf(command), command.summary)),
      ...flags.map(({ name, description }) => described(name, description)),
    ]
    return `    ${quoted(path)}) candidates=(${all.join(' ')}) ;;`
  })
  const paths = allBelow(root).map(({ path }) => quoted(path))
  return `#compdef onepeace
# zsh completion of onepeace; put it into ~/.zshrc behind compinit: eval "$(onepeace completion zsh)"
_onepeace() {
  local path_='' word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${path_:+$path_ }$word" in
    ${paths.join(' | ')}) path_="\${path_:+$path_ }$word" ;;
    esac
  done
  case "$path_" in
${cases.join('\n')}
  esac
  _describe 'onepeace' candidates
  [[ -n "$path_" ]] && _files
}
compdef _onepeace onepeace
`
}

function fish(root: Known): string {
  const lines = allBelow(root).flatMap(({ path, summary, flags }) => {
    const words = path.split(' ')
    const name = words.at(-1)!
    const above = words.slice(0, -1)
    const isNext = above.length === 0 ? '__fish_use_subcommand' : seen(above)
    return [
      `complete -c onepeace -n ${quoted(isNext)} -a ${name} -d ${quoted(summary)}`,
      ...flags.map(
        (flag) =>
          `complete -c onepeace -n ${quoted(seen(words))} -l ${flag.name.slice(2)} -d ${quoted(flag.description)}`,
      ),
    ]
  })
  return `# fish completion of onepeace: onepeace completion fish > ~/.config/fish/completions/onepeace.fish
${lines.join('\n')}
`
}

const seen = (words: readonly string[]): string =>
  words.map((word) => `__fish_seen_subcommand_from ${word}`).join('; and ')

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`
