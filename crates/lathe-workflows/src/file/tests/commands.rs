//! Commands, through a real shell, with values that are meant to break out.

use std::collections::BTreeMap;
use std::process::Command;

use proptest::prelude::*;

use super::super::{Context, Pipeline, ShellCommand, Value, prepare, read};

fn file(script: &str) -> String {
    let indented = script.replace('\n', "\n      ");
    format!("name: p\nparams: {{ x: {{ type: str }} }}\njobs:\n  a:\n    run: |\n      {indented}\n")
}

fn pipeline(script: &str) -> Pipeline {
    read(&file(script)).unwrap_or_else(|mistakes| panic!("{script}: {mistakes:#?}"))
}

fn command(script: &str) -> ShellCommand {
    prepare(pipeline(script).jobs[0].command().unwrap()).unwrap()
}

/// What a real shell prints.
fn printed(script: &str, value: &str) -> String {
    let command = command(script);
    let context =
        Context { params: BTreeMap::from([("x".to_owned(), Value::Text(value.to_owned()))]), ..Context::default() };
    let output = Command::new("sh")
        .args(["-c", &command.script])
        .envs(command.environment(&context).unwrap())
        .env("Q", "q")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}: {}", command.script, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const HOSTILE: &[&str] = &[
    "; echo broken",
    "$(echo broken)",
    "`echo broken`",
    "' ; echo broken '",
    "\" ; echo broken \"",
    "* ?",
    "a  b",
    "\\",
    "-n",
    "\n echo broken",
    "${Q}",
    "$Q",
    "| cat",
    "&& echo broken",
    "#",
    "ä ☃",
];

/// Places where a value may stand; each prints the value between angle brackets and nothing else.
const PLACES: &[&str] = &[
    "printf '<%s>' ${{ params.x }}",
    "printf '<%s>' \"${{ params.x }}\"",
    "printf '%s' \"<${{ params.x }}>\"",
    "printf '%s' '<'${{ params.x }}'>'",
    "printf '<%s>' \"$(printf '%s.' ${{ params.x }} | sed '$s/\\.$//')\"",
    "printf '<%s>' \"$(printf '%s.' \"${{ params.x }}\" | sed '$s/\\.$//')\"",
    "# don't ${{ params.x }}\nprintf '<%s>' ${{ params.x }}",
    "V=${{ params.x }}\nprintf '<%s>' \"$V\"",
    "cat <<'END' >/dev/null\nit's \" text\nEND\nprintf '<%s>' ${{ params.x }}",
    "(printf '<%s>' ${{ params.x }})",
    "sh -c 'printf \"<%s>\" \"$1\"' sh ${{ params.x }}",
    "printf '<%s>' \"${NONE:-${{ params.x }}}\"",
];

#[test]
fn hostile_values_reach_the_command_as_they_are() {
    for place in PLACES {
        for value in HOSTILE {
            assert_eq!(printed(place, value), format!("<{value}>"), "{place} with {value:?}");
        }
    }
}

#[test]
fn a_command_reads_variables_and_holds_no_value() {
    let command = command("echo ${{ params.x }} \"a ${{ params.x }}\" ${{ params.x == 'b' }}");
    assert_eq!(command.script.trim_end(), "echo \"${LATHE_X1}\" \"a ${LATHE_X1}\" \"${LATHE_X2}\"");
    let names: Vec<_> = command.variables.iter().map(|(name, value)| (name.as_str(), value.source.as_str())).collect();
    assert_eq!(names, [("LATHE_X1", "params.x"), ("LATHE_X2", "params.x == 'b'")]);
}

/// Programs for interpreters, as people write them.
const PROGRAMS: &[&str] = &[
    "bash -euo pipefail -c \"python t.py --b ${{ params.x }}\"",
    "bash -o pipefail -c \"echo ${{ params.x }}\"",
    "bash +x --norc -c \"echo ${{ params.x }}\"",
    "bash -c -o pipefail \"echo ${{ params.x }}\"",
    "sh -c -- ${{ params.x }}",
    "sh -c\"echo ${{ params.x }}\"",
    "bash <<< \"echo ${{ params.x }}\"",
    "bash 2>&1 -c \"echo ${{ params.x }}\"",
    "bash 2> log -c \"echo ${{ params.x }}\"",
    "python3.11 -c \"print('${{ params.x }}')\"",
    "python -W ignore -X dev -uc \"print('${{ params.x }}')\"",
    "python -c\"print('${{ params.x }}')\"",
    "python -c \"$(printf %s ${{ params.x }})\"",
    "python -c \"print('$(date)', '${{ params.x }}')\"",
    "python -c \"print('`date +%s`', '${{ params.x }}')\"",
    "$PYTHON -c \"print('${{ params.x }}')\"",
    "\"$(command -v python)\" -c \"print('${{ params.x }}')\"",
    "perl -E \"say '${{ params.x }}'\"",
    "perl -I lib -ne 'print' -e \"${{ params.x }}\"",
    "php -r \"echo '${{ params.x }}';\"",
    "php8.2 -d a=b -r \"echo '${{ params.x }}';\"",
    "node --eval \"${{ params.x }}\"",
    "node --eval=\"${{ params.x }}\"",
    "node --no-warnings -p \"${{ params.x }}\"",
    "ruby -r json -e \"puts '${{ params.x }}'\"",
    "Rscript -e \"print('${{ params.x }}')\"",
    "awk -F : \"{ print ${{ params.x }} }\"",
    "su user -c \"echo ${{ params.x }}\"",
    "su - user --command=\"echo ${{ params.x }}\"",
    "trap \"rm -r ${{ params.x }}\" EXIT",
    "trap -- \"rm -r ${{ params.x }}\" EXIT",
    "f() { eval \"${{ params.x }}\"; }",
    "if true; then eval ${{ params.x }}; fi",
    "ssh -p 22 -i key host \"ls ${{ params.x }}\"",
    "ssh host ls ${{ params.x }}",
    "watch -n 5 \"ls ${{ params.x }}\"",
    "watch --color ls ${{ params.x }}",
    "env A=b bash -c \"echo ${{ params.x }}\"",
    "env -S \"echo ${{ params.x }}\"",
    "nohup sh -c \"echo ${{ params.x }}\" &",
    "time bash -lc \"echo ${{ params.x }}\"",
    "sudo -u user bash -c \"echo ${{ params.x }}\"",
    "sudo ssh host \"ls ${{ params.x }}\"",
    "timeout 10 ssh host \"ls ${{ params.x }}\"",
    "ls | xargs -I {} sh -c \"echo {} ${{ params.x }}\"",
    "find . -name python -exec sh -c \"echo ${{ params.x }}\" \\;",
    "find . -exec ssh host \"ls ${{ params.x }}\" \\;",
    "docker run --rm image python -c \"print('${{ params.x }}')\"",
    "docker run --rm image python3.11 -c \"print('${{ params.x }}')\"",
    "docker exec db su postgres -c \"psql ${{ params.x }}\"",
    "node18 -p \"${{ params.x }}\"",
    "node --require ./setup.js -e \"${{ params.x }}\"",
    "bash --rcfile setup.sh -c \"echo ${{ params.x }}\"",
    "$HOME/bin/$SHELL_NAME -c \"echo ${{ params.x }}\"",
    "$HOME/bin/python -c \"print('${{ params.x }}')\"",
    "${PYTHON:=/usr/bin/python3} -c \"print('${{ params.x }}')\"",
    "flock lock -c \"echo ${{ params.x }}\"",
    "flock -w 10 lock -c \"echo ${{ params.x }}\"",
    "flock lock sh -c \"echo ${{ params.x }}\"",
    "script -q /dev/null -c \"echo ${{ params.x }}\"",
    "/usr/bin/script -qc \"echo ${{ params.x }}\" log",
    "perl -e 'print 1' -e \"print ${{ params.x }}\"",
    "fish -c 'true' -c \"echo ${{ params.x }}\"",
    "fish -C \"echo ${{ params.x }}\"",
    "fish -d 3 -c \"echo ${{ params.x }}\"",
    "node --unhandled-rejections strict -e \"${{ params.x }}\"",
    "node --disable-warning X -e \"${{ params.x }}\"",
    "node --env-file-if-exists F -e \"${{ params.x }}\"",
    "node --watch-path P -e \"${{ params.x }}\"",
    "node --redirect-warnings F -e \"${{ params.x }}\"",
    "node --dns-result-order O -e \"${{ params.x }}\"",
    "node --unknown one --other two --eval=\"${{ params.x }}\"",
    "node --unknown -r -e \"${{ params.x }}\"",
    "node -e --unknown \"${{ params.x }}\"",
    "node -pe \"${{ params.x }}\"",
    "bun -c bunfig.toml -e \"${{ params.x }}\"",
    "ipython --profile p -c \"${{ params.x }}\"",
    "julia --heap-size-hint 4G -e \"${{ params.x }}\"",
    "julia --ev \"${{ params.x }}\"",
    "ruby --unknown x -e \"${{ params.x }}\"",
    "$SHELL --rcfile f -c \"echo ${{ params.x }}\"",
    "$SHELL --unknown f -c \"echo ${{ params.x }}\"",
    "$SHELL --norc -c \"echo ${{ params.x }}\"",
    "pwsh -ExecutionPolicy Bypass -Command \"echo ${{ params.x }}\"",
    "pwsh -NoProfile -ex Bypass -c \"echo ${{ params.x }}\"",
    "pwsh -COMMAND Get-Item -File ${{ params.x }}",
    "gawk --source \"{ print ${{ params.x }} }\"",
    "python - <<< \"print('${{ params.x }}')\"",
    "python - a b <<<\"print('${{ params.x }}')\"",
    "bash -s a <<< \"echo ${{ params.x }}\"",
    "bash -s <<< \"echo ${{ params.x }}\"",
    "fish -d3 -c \"echo ${{ params.x }}\"",
    "fish -d 3 -c \"echo ${{ params.x }}\"",
    "fish -p/tmp/profile -ic \"echo ${{ params.x }}\"",
    "gawk -f lib.awk -e \"{ print ${{ params.x }} }\"",
    "gawk --file lib.awk -e \"{ print ${{ params.x }} }\"",
];

/// Arguments of programs that only look like such.
const ARGUMENTS: &[&str] = &[
    "python train.py -c ${{ params.x }} -e ${{ params.x }}",
    "python3 -u script.py -c ${{ params.x }}",
    "python -W ignore train.py --eval ${{ params.x }}",
    "python -m package -c ${{ params.x }}",
    "python main.py eval ${{ params.x }}",
    "python -c 'import sys; print(sys.argv)' --config ${{ params.x }}",
    "$PYTHON train.py -c ${{ params.x }}",
    "bash -eu script.sh -c ${{ params.x }}",
    "bash -euo pipefail script.sh -c ${{ params.x }}",
    "bash -euo pipefail -c 'echo \"$1\"' bash ${{ params.x }}",
    "node server.js -p ${{ params.x }}",
    "perl -pi -e 's/a/b/' ${{ params.x }}",
    "awk '{ print $1 }' ${{ params.x }}",
    "awk -v n=${{ params.x }} '{ print n }' file",
    "awk -f program.awk ${{ params.x }}",
    "ssh -i ${{ params.x }} host ls",
    "ssh user@${{ params.x }}",
    "lathe eval ${{ params.x }}",
    "grep -e ${{ params.x }} file | tar -c ${{ params.x }}",
    "find . -name ${{ params.x }} -exec python t.py {} \\;",
    "cat <<< ${{ params.x }}",
    "(cd sub; true) && echo -c ${{ params.x }}",
    "sh script.sh > log 2>&1; echo -c ${{ params.x }}",
    "DATA=/data/eval python t.py --seed ${{ params.x }}",
    "env DATA=/data/eval python t.py --seed ${{ params.x }}",
    "python t.py model.path=/opt/python -c ${{ params.x }}",
    "srun -w node1 -p ${{ params.x }} train",
    "psql -h node1 -p ${{ params.x }}",
    "$HOME/bin/train -c ${{ params.x }}",
    "\"$VENV/bin/tool\" -c ${{ params.x }}",
    "\"${VENV:-/opt/venv}/bin/tool\" -c ${{ params.x }}",
    "Rscript --vanilla train.R -e ${{ params.x }}",
    "node --no-warnings server.js -p ${{ params.x }}",
    "node --require ./setup.js server.js -p ${{ params.x }}",
    "node --unhandled-rejections strict server.js -p ${{ params.x }}",
    "node --title ${{ params.x }} server.js",
    "bash --login x.sh -c ${{ params.x }}",
    "bash --norc --noprofile x.sh -c ${{ params.x }}",
    "bash --unknown x.sh a -c ${{ params.x }}",
    "$SHELL --norc x.sh -c ${{ params.x }}",
    "$PYTHON --unknown -m package -c ${{ params.x }}",
    "ruby --disable-gems t.rb -e ${{ params.x }}",
    "julia --project train.jl -e ${{ params.x }}",
    "ipython --no-banner t.py -c ${{ params.x }}",
    "php --file x.php -r ${{ params.x }}",
    "gawk --posix '{ print $1 }' ${{ params.x }}",
    "gawk --file program.awk ${{ params.x }}",
    "flock --nonblock lock train -c ${{ params.x }}",
    "pwsh -NoProfile -File t.ps1 -Command ${{ params.x }}",
    "pwsh -ExecutionPolicy Bypass t.ps1 -Command ${{ params.x }}",
    "python - ${{ params.x }} <<< 'import sys; print(sys.argv)'",
    "bash -s ${{ params.x }} <<< 'echo $1'",
    "gawk -flib.awk ${{ params.x }}",
    "./script -c ${{ params.x }}",
    "./eval --seed ${{ params.x }}",
    "python script -c ${{ params.x }}",
    "flock lock python t.py -c ${{ params.x }}",
    "flock -w 10 lock python t.py -c ${{ params.x }}",
    "python -c 'code' -c ${{ params.x }}",
    "bash -c 'echo \"$1\"' -c ${{ params.x }}",
];

#[test]
fn a_value_within_a_program_is_refused_however_the_interpreter_is_started() {
    for script in PROGRAMS {
        let found = read(&file(script)).err().unwrap_or_default();
        let codes: std::collections::BTreeSet<_> = found.iter().map(|mistake| mistake.code).collect();
        assert_eq!(codes.into_iter().collect::<Vec<_>>(), ["quoting"], "{script}: {found:#?}");
    }
}

#[test]
fn a_value_that_is_an_argument_of_a_script_is_none_of_code() {
    for script in ARGUMENTS {
        pipeline(script);
    }
}

#[test]
fn places_where_a_value_would_be_code_are_refused() {
    for script in [
        "echo '${{ params.x }}'",
        "echo \\${{ params.x }}",
        "echo \"\\${{ params.x }}\"",
        "echo `echo ${{ params.x }}`",
        "echo $((1 + ${{ params.x }}))",
        "cat <<END\n${{ params.x }}\nEND",
        "python - <<'END'\nprint(\"${{ params.x }}\")\nEND",
        "sh -c \"echo ${{ params.x }}\"",
        "A=1 /usr/bin/python3 -u -c \"print(${{ params.x }})\"",
        "true; bash -ec ${{ params.x }}",
        "eval echo ${{ params.x }}",
    ] {
        let text = file(script);
        let found = read(&text).err().unwrap_or_default();
        assert_eq!(found.iter().map(|mistake| mistake.code).collect::<Vec<_>>(), ["quoting"], "{script}");
        let place = text.lines().nth(found[0].at.line - 1).unwrap();
        let rest: String = place.chars().skip(found[0].at.column - 1).collect();
        assert!(rest.starts_with("params.x"), "{script}: {rest}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_value_reaches_the_command_as_it_is(value in "[^\u{0}]{0,40}", place in prop::sample::select(PLACES)) {
        // `$( )` takes line breaks off the end, whatever the value.
        prop_assume!(!value.ends_with('\n'));
        prop_assume!(!value.is_empty() || !place.contains("NONE"));
        prop_assert_eq!(printed(place, &value), format!("<{value}>"));
    }
}
