//! Makes the types and the service of the gRPC form of the protocol, without a protoc on the machine.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["proto/inference.proto"], ["proto"])?;
    // Large contents stay views of the request's own bytes.
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .bytes(".inference.ModelInferRequest.raw_input_contents")
        .bytes(".inference.ModelInferResponse.raw_output_contents")
        .compile_fds(files)?;
    Ok(())
}
