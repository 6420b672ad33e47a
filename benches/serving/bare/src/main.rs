//! `bare serve LIBRARY MODEL`: the least server of an ONNX model that axum and ort make: no checks, no metrics, no names.
//! `bare load ADDRESS PATH CONNECTIONS REQUESTS < BODY`: the load, the same for each server: it costs little, so that the server has the machine.

use std::error::Error;
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use ort::session::Session;
use ort::value::Tensor;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", library, model] => serve(library, model).await,
        ["load", address, path, connections, requests] => load(address, path, connections.parse()?, requests.parse()?).await,
        _ => Err("usage: bare serve LIBRARY MODEL | bare load ADDRESS PATH CONNECTIONS REQUESTS < BODY".into()),
    }
}

#[derive(Deserialize)]
struct Question {
    inputs: Vec<Vec<f32>>,
}

#[derive(Serialize)]
struct Answer {
    predictions: Vec<f32>,
}

async fn serve(library: &str, model: &str) -> Result<()> {
    let environment = ort::init_from(library)?.with_telemetry(false).build()?;
    let mut builder = Session::builder(&environment)?.with_intra_threads(1).map_err(|error| error.to_string())?;
    let session = Arc::new(Mutex::new(builder.commit_from_file(model)?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().route("/invocations", post(infer)).with_state(session);
    Ok(axum::serve(listener, app).await?)
}

async fn infer(
    State(session): State<Arc<Mutex<Session>>>,
    Json(Question { inputs }): Json<Question>,
) -> std::result::Result<Json<Answer>, StatusCode> {
    run(&session, inputs).map(|predictions| Json(Answer { predictions })).map_err(|_| StatusCode::BAD_REQUEST)
}

fn run(session: &Mutex<Session>, inputs: Vec<Vec<f32>>) -> Result<Vec<f32>> {
    let shape = [inputs.len(), inputs.first().map_or(0, Vec::len)];
    let tensor = Tensor::from_array((shape, inputs.concat()))?;
    let mut session = session.lock().map_err(|error| error.to_string())?;
    let outputs = session.run(ort::inputs![tensor])?;
    Ok(outputs[0].try_extract_tensor::<f32>()?.1.to_vec())
}

/// Sends one body again and again, and prints the seconds and the number of answers that were not 200.
async fn load(address: &str, path: &str, connections: usize, requests: usize) -> Result<()> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body)?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let request: Arc<[u8]> = [head.into_bytes(), body].concat().into();
    let (left, failed) = (Arc::new(AtomicUsize::new(requests)), Arc::new(AtomicUsize::new(0)));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (request, left, failed) = (Arc::clone(&request), Arc::clone(&left), Arc::clone(&failed));
        tasks.push(tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 16];
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                stream.write_all(&request).await?;
                if !is_answered(&mut stream, &mut buffer).await? {
                    failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            Ok::<(), Box<dyn Error + Send + Sync>>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    println!("{} {}", started.elapsed().as_secs_f64(), failed.load(Ordering::Relaxed));
    Ok(())
}

/// Reads one answer; whether it is 200.
async fn is_answered(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<bool> {
    let mut filled = 0;
    loop {
        let count = stream.read(buffer.get_mut(filled..).ok_or("an answer is too long")?).await?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        filled += count;
        let read = &buffer[..filled];
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
        let length: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .ok_or("an answer without a length")?
            .trim()
            .parse()?;
        if filled >= end + 4 + length {
            return Ok(head.starts_with("http/1.1 200"));
        }
    }
}
